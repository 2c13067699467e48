/**
 * Trials on copies of a real data directory, in a process of their own: LevelDB ends its process by an
 * assertion where some damaged tables are compacted. Each message is a trial, each answer its outcome.
 */

import { nodeFiles } from '#files';
import { BlobDamaged } from '../../src/blobs/blob-store.ts';
import { openHome } from '../../src/home/home.ts';
import { openSigningKeys } from '../../src/home/signing-keys.ts';
import { Refused } from '../../src/service/service.ts';
import { openStore, type Store } from '../../src/store.ts';
import { openStoredViews } from '../../src/views/stored-views.ts';
import { createObserve, random, randomIds, systemClock } from '../../src/world.ts';
import {
  createBucket,
  get,
  pathsIn,
  put,
  type Rig,
  runJob,
  service,
  user,
} from '../support/rig.ts';

export interface Trial {
  readonly directory: string;
  /** What each path must hold, where it holds anything. */
  readonly texts: Readonly<Record<string, string>>;
  readonly digest: string;
}

export type Found = 'rebuilt' | 'found by a read' | 'found by the check' | 'harmless';
export type Reply = { readonly found: Found } | { readonly fault: string };

const alice = user('alice');

export async function fill(directory: string, objects: number): Promise<void> {
  const { store, close } = await openReal(directory);
  await createBucket({ store } as Rig, alice, 'b');
  for (let index = 0; index < objects; index += 1) await upload(store, index, `${index}`);
  await close();
}

export async function upload(store: Store, index: number, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const stored = await put({ store } as Rig, alice, { bucket: 'b', path: `p${index}`, bytes });
  if (!stored.ok) throw new Error(stored.rejection.code);
}

export async function openReal(
  directory: string,
): Promise<{ store: Store; close(): Promise<void> }> {
  const home = await openHome({ files: nodeFiles, directory, reserveBytes: 4096 });
  const { layout, nodeId, reserve } = home;
  const none = { kind: 'bytes', bytes: 0 } as const;
  const newId = () => randomIds.uuid();
  const store = await openStore({
    files: nodeFiles,
    layout,
    nodeId,
    reserve,
    version: 'test',
    clock: systemClock,
    ids: randomIds,
    random,
    observe: createObserve({ level: 'silent', isTty: false }),
    maxFileSizeBytes: 1e6,
    bucketCreators: 'authenticated',
    signedUrlMaxTtlMs: 1e6,
    signingKeys: openSigningKeys({ files: nodeFiles, layout, random, now: systemClock.now }),
    diskMarks: { low: none, hard: none },
    upkeep: { orphanGraceMs: 1e9, retentionMs: 'keep' },
    fenceEvery: { records: 25, bytes: 1e9 },
    pause: async () => {},
    openViewsStore: ({ fresh }) =>
      openStoredViews({ files: nodeFiles, path: layout.views, newId, fresh }),
  });
  const close = async () => {
    await store.close();
    await home.close();
  };
  return { store, close };
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
    require(await readAll(store, texts), 'all');
    require(await store.views.digest(), digest);
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
