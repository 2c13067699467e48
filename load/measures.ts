/** How each figure is taken. All are bounded in count; what is compared runs in turns. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Subject } from './subjects.ts';

export const mib = 1024 * 1024;

export interface Scale {
  readonly rounds: number;
  /** Small requests a round. */
  readonly requests: number;
  /** 1 MiB objects a round. */
  readonly transfers: number;
  readonly objects: number;
  readonly infos: number;
  readonly lists: number;
  /** Of each of the eight large uploads. */
  readonly largeMib: number;
  readonly starts: number;
}

export const full: Scale = {
  rounds: 5,
  requests: 10_000,
  transfers: 120,
  objects: 10_000,
  infos: 4000,
  lists: 20,
  largeMib: 100,
  starts: 5,
};

export const quick: Scale = {
  rounds: 2,
  requests: 500,
  transfers: 16,
  objects: 1200,
  infos: 200,
  lists: 3,
  largeMib: 10,
  starts: 2,
};

/** Runs `work` for 0 … count-1 with `clients` at once. */
async function withClients(
  clients: number,
  count: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const client = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
}

const payload = randomBytes(mib);

/** MB/s (decimal) of 1 MiB uploads at four clients. */
export async function uploadRate(
  subject: Subject,
  transfers: number,
  round: number,
): Promise<number> {
  const began = performance.now();
  await withClients(4, transfers, (index) => subject.put(`up/${round}-${index}`, payload, mib));
  return (transfers * mib) / 1000 / (performance.now() - began);
}

export async function downloadRate(
  subject: Subject,
  transfers: number,
  round: number,
): Promise<number> {
  const began = performance.now();
  await withClients(4, transfers, async (index) => {
    const length = await subject.get(`up/${round}-${index}`);
    if (length !== mib) throw new Error(`${length} bytes instead of 1 MiB`);
  });
  return (transfers * mib) / 1000 / (performance.now() - began);
}

const objectName = (index: number) => `many/${String(index).padStart(6, '0')}`;

/** Small objects, a thousand of which are a page. */
export async function fill(subject: Subject, objects: number): Promise<void> {
  const body = Buffer.from('a small object');
  await withClients(16, objects, (index) => subject.put(objectName(index), body, body.length));
}

/** Milliseconds of each request on one object, one client, spread over all objects. */
export async function requestTimesMs(
  { infos, objects }: Pick<Scale, 'infos' | 'objects'>,
  request: (name: string) => Promise<void>,
): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < infos; index += 1) {
    const name = objectName((index * 7919) % objects);
    times.push(await timeMs(() => request(name)));
  }
  return times;
}

export async function listTimesMs(subject: Subject, lists: number): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < lists; index += 1) {
    times.push(await timeMs(() => subject.list('many')));
  }
  return times;
}

/** How many bytes the server's resident memory grows at most while eight large uploads run at once. */
export async function memoryGrowth(subject: Subject, largeMib: number): Promise<number> {
  const before = subject.residentBytes();
  let highest = before;
  const done = new AbortController();
  const watch = async () => {
    while (!done.signal.aborted) {
      highest = Math.max(highest, subject.residentBytes());
      await pause(20);
    }
  };
  const watching = watch();
  const one = (index: number) =>
    subject.put(`large/${index}`, Readable.from(repeat(largeMib)), largeMib * mib);
  await Promise.all(Array.from({ length: 8 }, (_, index) => one(index)));
  done.abort();
  await watching;
  return highest - before;
}

function* repeat(count: number): Generator<Buffer> {
  for (let index = 0; index < count; index += 1) yield payload;
}

export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** The value below which `share` of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);
