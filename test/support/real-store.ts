/**
 * A store in a real directory: opened as the server opens it, with bounds that are no test's concern.
 * Nothing here belongs to a test runner, so that processes of their own can use it too.
 */
import { nodeFiles } from '#files';
import { openHome } from '../../src/home/home.ts';
import type { Layout } from '../../src/home/layout.ts';
import { openSigningKeys } from '../../src/home/signing-keys.ts';
import { openStore, type Store, type StoreOptions } from '../../src/store.ts';
import { openStoredViews } from '../../src/views/stored-views.ts';
import { createObserve, random, randomIds, systemClock } from '../../src/world.ts';
import { createBucket, put, type Rig, user } from './rig.ts';

export interface RealStore {
  readonly store: Store;
  readonly layout: Layout;
  /** Ends in good order. */
  close(): Promise<void>;
}

export async function openRealStore(
  directory: string,
  settings: Partial<StoreOptions> = {},
): Promise<RealStore> {
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
    openViewsStore: ({ fresh }) =>
      openStoredViews({ files: nodeFiles, path: layout.views, newId, fresh }),
    ...settings,
  });
  const close = async () => {
    await store.close();
    await home.close();
  };
  return { store, layout, close };
}

const alice = user('alice');

/** Makes the bucket `b` and in it `p0`, `p1`, …, each with its number for a body. */
export async function fill({ store }: Pick<RealStore, 'store'>, objects: number): Promise<void> {
  await createBucket({ store } as Rig, alice, 'b');
  for (let index = 0; index < objects; index += 1) await upload(store, index, `${index}`);
}

export async function upload(store: Store, index: number, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const stored = await put({ store } as Rig, alice, { bucket: 'b', path: `p${index}`, bytes });
  if (!stored.ok) throw new Error(stored.rejection.code);
}

/** A store with a few objects, closed in good order: for commands that look at it. */
export async function makeRealStore(directory: string, objects = 40): Promise<Layout> {
  const real = await openRealStore(directory);
  await fill(real, objects);
  await real.close();
  return real.layout;
}
