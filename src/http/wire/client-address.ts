/** Who is at the other end, for the log: X-Forwarded-For is believed only as far as trusted proxies wrote it. */
import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';

type Range = ReturnType<typeof ipaddr.parseCIDR>;

/** `trusted`: addresses and CIDRs. Throws where one is neither. */
export function clientAddressOf(
  trusted: readonly string[],
): (incoming: Pick<IncomingMessage, 'headers' | 'socket'>) => string {
  const ranges = trusted.map(parseRange);
  const peers = new WeakMap<object, string>();
  // A connection has one other end, however many requests come from there.
  const peerOf = (socket: IncomingMessage['socket']): string => {
    const known = peers.get(socket);
    if (known !== undefined) return known;
    const peer = plain(socket.remoteAddress ?? '');
    peers.set(socket, peer);
    return peer;
  };
  const isTrusted = (address: string) => ranges.some((range) => contains(range, address));
  return ({ headers, socket }) => {
    const peer = peerOf(socket);
    if (ranges.length === 0) return peer;
    const forwarded = headers['x-forwarded-for'];
    const hops =
      typeof forwarded === 'string' ? forwarded.split(',').map((hop) => plain(hop.trim())) : [];
    // From the nearest hop outwards: the first that is not a proxy of ours is the client.
    let address = peer;
    while (isTrusted(address)) {
      const next = hops.pop();
      if (next === undefined || !ipaddr.isValid(next)) break;
      address = next;
    }
    return address;
  };
}

function parseRange(text: string): Range {
  if (text.includes('/')) return ipaddr.parseCIDR(text);
  const address = ipaddr.parse(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

function contains(range: Range, address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  return parsed.kind() === range[0].kind() && parsed.match(range);
}

/** `::ffff:10.0.0.1` is 10.0.0.1. */
function plain(address: string): string {
  return ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
}
