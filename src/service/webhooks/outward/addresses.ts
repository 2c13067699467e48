/**
 * Which addresses a webhook may reach: public ones, and what the operator allows by name or range.
 * What is not known to be public is refused, so that a range nobody thought of is closed.
 */
import ipaddr from 'ipaddr.js';

export interface AllowList {
  host(name: string): boolean;
  address(address: string): boolean;
}

/** `entries`: host names in lower case, and CIDRs. */
export function allowListOf(entries: readonly string[]): AllowList {
  const ranges = entries.filter((entry) => entry.includes('/')).map(ipaddr.parseCIDR);
  const names = new Set(entries.filter((entry) => !entry.includes('/')));
  return {
    host: (name) => names.has(withoutDot(name)),
    address: (address) => {
      const parsed = parse(address);
      return ranges.some(
        ([base, bits]) =>
          parsed !== undefined && parsed.kind() === base.kind() && parsed.match(base, bits),
      );
    },
  };
}

/** A public address that no special use is known of. An IPv4 address in IPv6 clothes is the former. */
export function isPublicAddress(address: string): boolean {
  const parsed = parse(address);
  if (parsed?.range() !== 'unicast') return false;
  // The metadata service of Azure has an address that looks like anybody's.
  if (parsed.kind() === 'ipv4') return parsed.toString() !== '168.63.129.16';
  // RFC 4291 §2.4, RFC 3587: what is assigned for the public Internet.
  return parsed.match(globalUnicast, 3);
}

const globalUnicast = ipaddr.parse('2000::');

/** The names that mean this machine or this network, whoever resolves them (RFC 6761, RFC 6762, .internal). */
export function isPrivateName(name: string): boolean {
  return /(^|\.)(localhost|local|internal|home\.arpa)$/.test(withoutDot(name));
}

/** An address as a URL has it, without its brackets; undefined for a name. */
export function literalOf(hostname: string): string | undefined {
  const bare = withoutDot(hostname.replace(/^\[(.*)\]$/, '$1'));
  return ipaddr.isValid(bare) ? bare : undefined;
}

/** A name that ends with the root's dot is the same name. */
export function withoutDot(name: string): string {
  return name.replace(/\.$/, '').toLowerCase();
}

function parse(address: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  return ipaddr.isValid(address) ? ipaddr.process(address) : undefined;
}
