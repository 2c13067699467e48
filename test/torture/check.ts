/** Everything that a server shows after a start, held against the ledger. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { aerostore } from '../acceptance/support/cli.ts';
import { ask } from '../acceptance/support/client.ts';
import { service } from '../acceptance/support/tokens.ts';
import { until } from '../acceptance/support/until.ts';
import { type Found, type Ledger, storedAs, type Value } from './ledger.ts';
import type { Running } from './process.ts';
import { sha256 } from './subjects.ts';

const readers = 8;

export interface Checked {
  readonly problems: readonly string[];
  /** Objects that were read to the last byte. */
  readonly objects: number;
  /** URLs that stayed used up or revoked, and requests that were repeated under their keys. */
  readonly facts: number;
}

export async function check(server: Running, ledger: Ledger): Promise<Checked> {
  const problems: string[] = [];
  // Before anything is read, so that what a repeat must not change is read as it left it.
  for (const retry of ledger.retries.splice(0)) {
    const problem = await retry(server);
    if (problem !== undefined) problems.push(problem);
  }
  for (const fact of ledger.facts) {
    const problem = await fact.check(server);
    if (problem !== undefined) problems.push(problem);
  }
  const found = new Map<string, Map<string, Value>>();
  for (const bucket of await bucketsOf(server)) {
    found.set(bucket, await readAll(server, bucket, problems));
  }
  const missing = await absentKeys(server, ledger, found);
  const objects = [...found.values()].reduce((sum, { size }) => sum + size, 0);
  problems.push(...ledger.settle(found as Found), ...missing);
  await until('staging is empty', () => staged(server).length === 0).catch(() => {
    problems.push(`staging holds ${staged(server).join()}`);
  });
  const verified = await aerostore(['wal', 'verify', '--data-dir', server.dataDir]);
  if (verified.code !== 0) problems.push(`wal verify: ${verified.stdout}${verified.stderr}`);
  return { problems, objects, facts: ledger.facts.length };
}

async function bucketsOf(server: Running): Promise<string[]> {
  const reply = await ask(server, '/bucket', { token: service });
  if (reply.status !== 200) throw new Error(`no list of buckets: ${reply.text()}`);
  return (JSON.parse(reply.text()) as { name: string }[]).map(({ name }) => name);
}

interface Listed {
  readonly path: string;
  readonly size: number;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Each listed object must be readable with the size and digest that the list tells. */
async function readAll(
  server: Running,
  bucket: string,
  problems: string[],
): Promise<Map<string, Value>> {
  const reply = await ask(server, `/object/list/${bucket}?limit=1000`, { token: service });
  if (reply.status !== 200) throw new Error(`no list of ${bucket}: ${reply.text()}`);
  const { objects } = reply.json() as { objects: Listed[] };
  const values = new Map<string, Value>();
  const left = [...objects];
  const reader = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const key = `${bucket}/${next.path}`;
      const got = await ask(server, `/object/${key}`, { token: service }).catch(String);
      if (typeof got === 'string' || got.status !== 200) {
        const why = typeof got === 'string' ? got : `${got.status} ${got.text().slice(0, 200)}`;
        problems.push(`${key}, of ${next.size} B, is listed, but: ${why}`);
        values.set(next.path, 'unreadable');
        continue;
      }
      if (got.bytes.length !== next.size) problems.push(`${key} is not as long as listed`);
      values.set(next.path, storedAs(sha256(got.bytes), next.metadata.n));
    }
  };
  await Promise.all(Array.from({ length: readers }, reader));
  return values;
}

/** A key that is not listed must not be readable by its name either. */
async function absentKeys(server: Running, ledger: Ledger, found: Found): Promise<string[]> {
  const problems: string[] = [];
  for (const { bucket, path: name } of ledger.keys()) {
    if (found.get(bucket)?.has(name)) continue;
    const reply = await ask(server, `/object/${bucket}/${name}`, { token: service });
    if (reply.status !== 404) problems.push(`${bucket}/${name}: ${reply.status}, but not listed`);
  }
  return problems;
}

function staged({ dataDir }: Running): string[] {
  return readdirSync(path.join(dataDir, 'staging'));
}
