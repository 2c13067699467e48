/** Clients that keep a server busy and tell the ledger what they were told. */
import { ask } from '../acceptance/support/client.ts';
import { seededRandom } from '../support/faulty-disk.ts';
import { runClient } from './client.ts';
import type { Ledger } from './ledger.ts';
import type { Running } from './process.ts';
import { bucketOf, sharedBucket, token } from './subjects.ts';

export interface Load {
  /** Resolves when every client has ended, which each does when it gets no answer. */
  readonly ended: Promise<void>;
  /** What clients were told that cannot be true. */
  readonly problems: string[];
}

export interface LoadOptions {
  readonly server: Running;
  readonly ledger: Ledger;
  readonly clients: number;
  readonly seed: number;
}

export async function makeBuckets({ server, ledger, clients }: LoadOptions): Promise<void> {
  const names = Array.from({ length: clients }, (_, client) => bucketOf(client));
  for (const name of [...names, sharedBucket]) {
    if (ledger.buckets().includes(name)) continue;
    const reply = await ask(server, '/bucket', { method: 'POST', token, json: { name } });
    if (reply.status !== 200) throw new Error(`no bucket ${name}: ${reply.text()}`);
    ledger.know(name);
  }
}

export function startLoad({ server, ledger, clients, seed }: LoadOptions): Load {
  const problems: string[] = [];
  const running = Array.from({ length: clients }, (_, client) =>
    runClient({
      server,
      ledger,
      problems,
      random: seededRandom(seed * 1000 + client),
      bucket: bucketOf(client),
    }),
  );
  return { ended: Promise.all(running).then(() => undefined), problems };
}
