/**
 * Trials on copies of a real data directory, in a process of their own: LevelDB ends its process by an
 * assertion where some damaged tables are compacted. Each message is a trial, each answer its outcome.
 */
import { BlobDamaged } from '../../src/blobs/blob-store.ts';
import { Refused } from '../../src/service/service.ts';
import type { Store } from '../../src/store.ts';
import { ViewsDamaged } from '../../src/views/views.ts';
import { openRealStore, type RealStore } from '../support/real-store.ts';
import { get, pathsIn, type Rig, runJob, service } from '../support/rig.ts';

export interface Trial {
  readonly directory: string;
  /** What each path must hold, where it holds anything. */
  readonly texts: Readonly<Record<string, string>>;
  readonly digest: string;
}

export type Found = 'rebuilt' | 'found by a read' | 'found by the check' | 'harmless';
export type Reply = { readonly found: Found } | { readonly fault: string };

/** Fences often, so that each trial has one to begin from. */
export function openReal(directory: string): Promise<RealStore> {
  const fenceEvery = { records: 25, bytes: 1e9 };
  return openRealStore(directory, { fenceEvery, pause: async () => {} });
}

/** Reads all that is shown: a value may be missing until the check has run, but never be another one. */
async function readAll(store: Store, texts: Trial['texts']): Promise<'all' | 'some' | 'NotReady'> {
  const rig = { store } as Rig;
  const paths = await pathsIn(rig, service, 'b');
  const expected = Object.keys(texts);
  let found = 0;
  for (const path of new Set([...paths, ...expected])) {
    const bytes = await get(rig, service, { bucket: 'b', path }).catch(refusalIn);
    if (bytes === 'NotReady') return 'NotReady';
    if (typeof bytes === 'string') continue;
    if (bytes.toString() !== texts[path]) throw new Error(`${path} holds ${bytes.toString()}`);
    found += 1;
  }
  return found === expected.length && paths.length === expected.length ? 'all' : 'some';
}

/** The views may close between the row and its bytes; a blob whose row of checksums vanished is no value. */
function refusalIn(fault: unknown): string {
  if (fault instanceof Refused) return fault.rejection.code;
  if (fault instanceof BlobDamaged && fault.message.startsWith('no checksums')) return 'nothing';
  throw fault;
}

async function tryOne({ directory, texts, digest }: Trial): Promise<Found> {
  const { store, close } = await openReal(directory);
  try {
    const seen = await readAll(store, texts);
    await store.settled();
    const checked = await runJob({ store } as Rig, 'views-verify');
    await store.settled();
    require(await digestAtLast(store), digest);
    require(await readAll(store, texts), 'all');
    // An object that was without its checksums is shown as damaged until its bytes are checked.
    await runJob({ store } as Rig, 'blobs-verify');
    require(store.service.health().status, 'ready');
    if (seen === 'NotReady') return 'found by a read';
    if (checked.ok === false) return 'found by the check';
    require(seen, 'all');
    return store.report.views === 'rebuilt' ? 'rebuilt' : 'harmless';
  } finally {
    await close();
  }
}

/**
 * A damaged key may lie where neither a read nor the check passes until LevelDB moves its table. Then it
 * shows later, and the views are built anew as for any other.
 */
async function digestAtLast({ views, settled }: Store): Promise<string> {
  try {
    return await views.digest();
  } catch (fault) {
    if (!(fault instanceof ViewsDamaged)) throw fault;
    await settled();
    return views.digest();
  }
}

function require(found: string, wanted: string): void {
  if (found !== wanted) throw new Error(`${found} instead of ${wanted}`);
}

process.on('message', async (trial: Trial) => {
  const reply: Reply = await tryOne(trial).then(
    (found) => ({ found }),
    (fault: unknown) => ({ fault: String(fault) }),
  );
  process.send?.(reply);
});
