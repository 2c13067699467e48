/**
 * Names to addresses without holding up the disk: the system's own resolver blocks one of the few
 * threads that files are read by for as long as a name server keeps it waiting, so it is asked last,
 * and by few at a time. Not for `localhost`, which is this machine by definition (RFC 6761 §6.3).
 */
import { lookup, Resolver } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { createSlots } from '../slots.ts';
import type { Address, Resolve } from './target.ts';

const timing = { timeout: 2_000, tries: 2 };
const maxSystemLookups = 2;
/** What says that a name server was asked in vain, not that it knows of no such name. */
const unanswered = new Set(['ETIMEOUT', 'ECANCELLED']);

export function createResolve(): Resolve {
  const slots = createSlots({ total: maxSystemLookups, perOwner: maxSystemLookups });
  return async (host, signal) => {
    if (host === 'localhost') return [addressOf('127.0.0.1'), addressOf('::1')];
    const found = await byNameServer(host, signal);
    if (found.addresses.length > 0) return found.addresses;
    if (found.isUnanswered) throw new Error('no name server answers');
    // What is said in the hosts file, too.
    return slots.run('', signal, async () => {
      const all = await lookup(host, { all: true });
      return all.map(({ address }) => addressOf(address));
    });
  };
}

async function byNameServer(
  host: string,
  signal: AbortSignal,
): Promise<{ readonly addresses: Address[]; readonly isUnanswered: boolean }> {
  const resolver = new Resolver(timing);
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel);
  try {
    const asked = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    const addresses = asked.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    const isUnanswered = asked.some(
      (one) => one.status === 'rejected' && unanswered.has(String(one.reason?.code)),
    );
    return { addresses: addresses.map(addressOf), isUnanswered };
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

function addressOf(address: string): Address {
  return { address, family: isIPv6(address) ? 6 : 4 };
}
