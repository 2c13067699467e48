/**
 * Wrong bytes under an object, over HTTP: whatever a blob's file holds, nobody is given other bytes
 * than those that were stored in an answer that looks whole, all other objects are as they were, and
 * the check of all bytes finds each one.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StoreDoor, startStoreDoor } from '../http/support/store-door.ts';
import { seededRandom } from '../support/faulty-disk.ts';
import { dataDirectory, runJob } from '../support/rig.ts';
import { flipped } from './small-store.ts';

const seed = 41;
const random = seededRandom(seed);
const regionBytes = 128 * 1024;
const sizes = { empty: 0, tiny: 5, 'one block': 262_144, 'a piece': 1_048_583, large: 2_621_443 };
type Name = keyof typeof sizes;
const names = Object.keys(sizes) as Name[];
const figures = { answers: 0, right: 0, refused: 0, 'broken off': 0, found: 0 };

let door: StoreDoor;
const bodies = new Map<Name, Buffer>();
const files = new Map<Name, string>();

beforeAll(async () => {
  console.log(`hostile blobs: seed ${seed}`);
  door = await startStoreDoor({ rig: { packUpToBytes: 0 } });
  await door.call('/bucket', { method: 'POST', json: { name: 'b' } });
  for (const name of names) {
    const body = Buffer.from(Array.from({ length: sizes[name] }, () => Math.floor(random() * 256)));
    const before = new Set(door.rig.disk.paths());
    const { status } = await door.call(pathOf(name), { method: 'PUT', body });
    expect(status).toBe(200);
    const file = door.rig.disk
      .paths()
      .find((path) => !before.has(path) && /\/blobs\/..\/..\/\w{32}$/.test(path));
    bodies.set(name, body);
    files.set(name, file ?? '');
  }
});
afterAll(async () => {
  console.log('hostile blobs:', figures);
  await door.close();
});

const pathOf = (name: Name) => `/object/b/${encodeURIComponent(name)}`;
const bodyOf = (name: Name): Buffer => bodies.get(name) ?? Buffer.alloc(0);

interface Damage {
  readonly what: string;
  /** undefined: the file is removed. */
  readonly bytes: Buffer | undefined;
}

/** A bit of each region, the first and the last byte, other lengths, no file. */
function* damagesOf(body: Buffer): Generator<Damage> {
  const places = new Set(body.length > 0 ? [0, body.length - 1] : []);
  for (let from = 0; from < body.length; from += regionBytes) {
    places.add(from + Math.floor(random() * Math.min(regionBytes, body.length - from)));
  }
  for (const at of places) {
    yield { what: `a bit at ${at}`, bytes: flipped(body, at * 8 + Math.floor(random() * 8)) };
  }
  for (const length of new Set([0, body.length >> 1, body.length - 1])) {
    if (length < 0 || length >= body.length) continue;
    yield { what: `cut to ${length}`, bytes: body.subarray(0, length) };
  }
  for (const more of [1, 4096]) {
    yield { what: `${more} longer`, bytes: Buffer.concat([body, Buffer.alloc(more)]) };
  }
  if (body.length > 0) yield { what: 'zeros', bytes: Buffer.alloc(body.length) };
  yield { what: 'gone', bytes: undefined };
}

type Answer = 'right' | 'refused' | 'broken off';

/** Throws where an answer looks whole and is not what was stored. */
async function read(name: Name, range?: readonly [number, number]): Promise<Answer> {
  const headers = range ? { range: `bytes=${range[0]}-${range[1]}` } : undefined;
  const response = await door.call(pathOf(name), headers ? { headers } : {});
  const expected = range ? bodyOf(name).subarray(range[0], range[1] + 1) : bodyOf(name);
  const body = await response.arrayBuffer().catch(() => undefined);
  const answer = judge(response.status, range ? 206 : 200, body && expected.equals(asBytes(body)));
  figures.answers += 1;
  figures[answer] += 1;
  return answer;
}

const asBytes = (body: ArrayBuffer) => new Uint8Array(body);

function judge(status: number, whole: number, isRight: boolean | undefined): Answer {
  if (isRight === undefined) return 'broken off';
  if (status === 500) return 'refused';
  if (status !== whole || !isRight) throw new Error(`a whole ${status} with wrong bytes`);
  return 'right';
}

function rangesOf(size: number): (readonly [number, number])[] {
  if (size === 0) return [];
  const start = Math.floor(random() * size);
  const end = start + Math.floor(random() * (size - start));
  return [
    [0, 0],
    [start, end],
    [0, size - 1],
  ];
}

async function put(file: string, bytes: Buffer | undefined): Promise<void> {
  const { disk } = door.rig;
  if (bytes && !disk.peek(file)) await (await disk.files.open(file, 'create')).close();
  disk.poke(file, bytes);
}

describe.each(names)('the blob of "%s"', (name) => {
  it('never leaves as other bytes in a whole answer, and every damage is found', async () => {
    const body = bodyOf(name);
    const file = files.get(name) ?? '';
    const other: Name = name === 'tiny' ? 'one block' : 'tiny';
    for (const { what, bytes } of damagesOf(body)) {
      await put(file, bytes);
      expect(await read(name), what).not.toBe('right');
      const ranges = rangesOf(body.length);
      const answers: Answer[] = [];
      for (const range of ranges) answers.push(await read(name, range));
      // The whole as a range meets every block.
      if (ranges.length > 0) expect(answers.at(-1), what).not.toBe('right');
      expect(await read(other), what).toBe('right');
      const report = await runJob(door.rig, 'blobs-verify', { rate: 1e12 });
      expect(report, what).toMatchObject({ ok: false, [bytes ? 'damaged' : 'missing']: 1 });
      expect(report.findings, what).toMatchObject([{ bucket: 'b', path: name }]);
      figures.found += 1;
      await put(file, body);
    }
    expect(await read(name)).toBe('right');
    expect(await runJob(door.rig, 'blobs-verify', { rate: 1e12 })).toMatchObject({ ok: true });
  });
});

it('the files that were damaged are still where they were', () => {
  for (const name of names) expect(door.rig.disk.peek(files.get(name) ?? '')).toBeDefined();
  expect(door.rig.disk.paths().filter((path) => path.startsWith(`${dataDirectory}/q`))).toEqual([
    `${dataDirectory}/quarantine`,
  ]);
});
