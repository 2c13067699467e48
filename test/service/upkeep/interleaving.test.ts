/**
 * Random interleavings of uploads, overwrites, deletes, sweeps and the passing of time, with kills and
 * power cuts between and amid them. A witness stands at the disk: at the very call that takes a blob
 * out of `blobs/`, or out of quarantine, no row and nothing that must be retained may refer to it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlobId } from '../../../src/domain/names.ts';
import { type DiskCall, Stopped, seededRandom } from '../../support/faulty-disk.ts';
import {
  createBucket,
  dataDirectory,
  get,
  hourMs,
  key,
  makeRig,
  put,
  type Rig,
  runJob,
  user,
} from '../../support/rig.ts';
import { placeOrphan, publishedIn } from '../../support/stray.ts';

const alice = user('alice');
const retentionMs = 2 * hourMs;
const orphanGraceMs = hourMs;

type Step =
  | { readonly kind: 'put'; readonly path: number; readonly size: number }
  | { readonly kind: 'remove'; readonly path: number }
  | { readonly kind: 'copy' | 'move'; readonly from: number; readonly path: number }
  | { readonly kind: 'sweep' }
  | { readonly kind: 'stray' }
  | { readonly kind: 'advance'; readonly ms: number };

interface Wave {
  /** All at once, each after so many turns. */
  readonly steps: readonly { readonly step: Step; readonly turns: number }[];
  /** After so many disk calls of the wave the machine stops; 0 where it does not. */
  readonly stopAt: number;
  readonly power: boolean;
}

const paths = 2;
const put_ = fc.record({
  kind: fc.constant('put' as const),
  path: fc.nat(paths - 1),
  size: fc.constantFrom(0, 10, 5000),
});
const remove = fc.record({ kind: fc.constant('remove' as const), path: fc.nat(paths - 1) });
const transfer = fc.record({
  kind: fc.constantFrom('copy' as const, 'move' as const),
  from: fc.nat(paths - 1),
  path: fc.nat(paths - 1),
});
const advance = fc.record({
  kind: fc.constant('advance' as const),
  ms: fc.constantFrom(1000, 0.6 * retentionMs, 0.9 * retentionMs, 2 * retentionMs),
});
const sweep = fc.constant({ kind: 'sweep' as const });
const stray = fc.constant({ kind: 'stray' as const });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: put_ },
  { weight: 2, arbitrary: remove },
  { weight: 3, arbitrary: transfer },
  { weight: 6, arbitrary: sweep },
  { weight: 1, arbitrary: stray },
  { weight: 4, arbitrary: advance },
);

const wave: fc.Arbitrary<Wave> = fc.record({
  steps: fc.array(fc.record({ step, turns: fc.nat(30) }), { minLength: 2, maxLength: 8 }),
  stopAt: fc.oneof(
    { weight: 2, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 80 }) },
  ),
  power: fc.boolean(),
});

/** What the test itself knows, without asking the views. */
class Witness {
  readonly #rig: Rig;
  /** Path → the blobs that may be its current one. */
  readonly #current = new Map<number, Set<BlobId>>();
  /** A blob → when it was released at the earliest. */
  readonly #released = new Map<BlobId, number>();
  /** Path → how many writes of it are under way. */
  readonly #writers = new Map<number, number>();
  removals = 0;
  strays = 0;
  violation: string | undefined;

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  /** Runs a write of `path`, which may release what is there from its first moment on. */
  async writing(path: number, write: () => Promise<BlobId | undefined>): Promise<undefined> {
    const startedMs = this.#rig.advance(0);
    for (const blobId of this.#current.get(path) ?? []) this.#mayRelease(blobId, startedMs);
    this.#writers.set(path, (this.#writers.get(path) ?? 0) + 1);
    try {
      const blobId = await write();
      if (!blobId) return undefined;
      this.#current.set(path, (this.#current.get(path) ?? new Set()).add(blobId));
      // Another write beside this one may have released it before it was known here.
      if ((this.#writers.get(path) ?? 0) > 1) this.#mayRelease(blobId, startedMs);
      return undefined;
    } finally {
      this.#writers.set(path, (this.#writers.get(path) ?? 0) - 1);
    }
  }

  #mayRelease(blobId: BlobId, atMs: number): void {
    if (!this.#released.has(blobId)) this.#released.set(blobId, atMs);
  }

  /** Where nothing goes on, the rows say which of the candidates is the one. */
  settle(path: number, blobId: BlobId | undefined): void {
    this.#current.set(path, new Set(blobId === undefined ? [] : [blobId]));
    if (blobId !== undefined) this.#released.delete(blobId);
  }

  /** Before a call of the disk is done. */
  see({ operation, path }: DiskCall): void {
    const leaves =
      (operation === 'rename' || operation === 'remove') &&
      /\/data\/(blobs|quarantine)\/.*?([0-9a-f]{32})/.exec(path);
    if (!leaves) return;
    const isGivenBack = operation === 'rename' && leaves[1] === 'quarantine';
    const blobId = leaves[2] as BlobId;
    if (isGivenBack) return;
    this.removals += 1;
    const known = ['k', 'f', `r`].find((kind) => this.#hasRow(`${kind}${blobId}`));
    if (known !== undefined) this.#violate(`${blobId} had a row ${known} at its ${operation}`);
    const released = this.#released.get(blobId);
    const isCurrent = [...this.#current.values()].some((blobs) => blobs.has(blobId));
    if (isCurrent && released === undefined) this.#violate(`${blobId} was current`);
    const ageMs = this.#rig.advance(0) - (released ?? 0);
    if (released !== undefined && ageMs < retentionMs) {
      this.#violate(`${blobId} was released ${ageMs} ms ago`);
    }
  }

  #hasRow(prefix: string): boolean {
    return [...this.#rig.views.rows.keys()].some((name) => name.startsWith(prefix));
  }

  #violate(what: string): void {
    this.violation ??= what;
  }
}

async function turnsOf(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function take(rig: Rig, witness: Witness, taken: Step): Promise<void> {
  switch (taken.kind) {
    case 'put':
      return witness.writing(taken.path, async () => {
        const bytes = Buffer.alloc(taken.size, taken.path);
        const stored = await put(rig, alice, { bucket: 'b', path: `${taken.path}`, bytes });
        return stored.ok ? stored.value.object.blob_id : undefined;
      });
    case 'remove':
      return witness.writing(taken.path, async () => {
        await rig.store.service.objects.remove(alice, key('b', `${taken.path}`));
        return undefined;
      });
    case 'copy':
    case 'move':
      // A move may release nothing at its source; to the witness that is only a wider guess.
      return witness.writing(taken.from, () =>
        witness.writing(taken.path, async () => {
          const source = key('b', `${taken.from}`);
          const target = key('b', `${taken.path}`);
          const { objects } = rig.store.service;
          const done = await objects[taken.kind](alice, { source, target, overwrite: true });
          return done.ok ? done.value.object.blob_id : undefined;
        }),
      );
    case 'sweep':
      await runJob(rig, 'sweep');
      return;
    case 'stray':
      witness.strays += 1;
      await placeOrphan(rig, Buffer.from(`stray ${witness.strays}`.padEnd(16)).toString('hex'));
      return;
    case 'advance':
      rig.advance(taken.ms);
      return;
    default:
      taken satisfies never;
  }
}

async function play(rig: Rig, witness: Witness, { steps, stopAt, power }: Wave): Promise<void> {
  let calls = 0;
  rig.disk.inject = (call) => {
    witness.see(call);
    calls += 1;
    return calls === stopAt ? { kind: 'stop', before: power } : undefined;
  };
  await Promise.all(
    steps.map(async ({ step: taken, turns }) => {
      await turnsOf(turns);
      // What the stop breaks off is decided by the next start.
      await take(rig, witness, taken).catch((fault: unknown) => {
        if (!rig.disk.stopped) throw fault;
      });
    }),
  );
  const isStopped = rig.disk.stopped;
  if (isStopped && power) await rig.cutPower(stopAt);
  else if (isStopped) await rig.kill();
  rig.disk.inject = (call) => {
    witness.see(call);
    return undefined;
  };
  if (isStopped) await rig.open();
}

/** Every current object has its bytes, and every blob that is retained lies among the published ones. */
async function check(rig: Rig, witness: Witness): Promise<void> {
  await rig.store.settled();
  expect(witness.violation).toBeUndefined();
  const published = new Set<string>(publishedIn(rig));
  for (let path = 0; path < paths; path += 1) {
    const found = await rig.store.service.objects.read(alice, key('b', `${path}`));
    witness.settle(path, found.ok ? found.value.object.blob_id : undefined);
    if (!found.ok) continue;
    const bytes = await get(rig, alice, { bucket: 'b', path: `${path}` });
    // Reading checks the hash; a refusal would be a text.
    expect(bytes).toBeInstanceOf(Buffer);
    expect(bytes).toHaveLength(found.value.object.size);
  }
  for (const name of rig.views.rows.keys()) {
    if (name.startsWith('k')) expect(published).toContain(name.slice(1));
  }
}

describe('the sweep and the collection', () => {
  it('never take a blob that a current row or a retained version refers to', async () => {
    let removals = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(wave, { minLength: 2, maxLength: 8 }),
        fc.nat(1000),
        async (waves, seed) => {
          const rig = makeRig({ seed, store: { upkeep: { orphanGraceMs, retentionMs } } });
          await rig.open();
          await createBucket(rig, alice, 'b');
          // Rows come a while after their blobs: the time in which a sweep must not be mistaken.
          const random = seededRandom(seed);
          rig.views.onWrite = async () => {
            const { disk } = rig;
            await turnsOf(Math.floor(random() * 12));
            if (disk.stopped) throw new Stopped('write of the views');
          };
          const witness = new Witness(rig);
          for (const each of waves) {
            await play(rig, witness, each);
            await check(rig, witness);
          }
          // In the end nothing is left over: everything that lies there is known, or in its grace.
          rig.advance(3 * hourMs);
          await runJob(rig, 'sweep');
          await check(rig, witness);
          rig.advance(3 * hourMs);
          await runJob(rig, 'sweep');
          const known = [...rig.views.rows.keys()].filter((name) => name.startsWith('k'));
          expect(publishedIn(rig).sort()).toEqual(known.map((name) => name.slice(1)).sort());
          expect(rig.disk.paths().filter(isQuarantined)).toEqual([]);
          removals += witness.removals;
          await rig.close();
        },
      ),
      { numRuns: 60 },
    );
    // A test that saw nothing go would prove nothing.
    expect(removals).toBeGreaterThan(50);
  }, 120_000);
});

function isQuarantined(path: string): boolean {
  return path.startsWith(`${dataDirectory}/quarantine/`);
}
