/** A store with a few objects in a real directory, closed in good order: for commands that look at it. */
import { nodeFiles } from '#files';
import { openHome } from '../../src/home/home.ts';
import type { Layout } from '../../src/home/layout.ts';
import { openSigningKeys } from '../../src/home/signing-keys.ts';
import { openStore, type StoreOptions } from '../../src/store.ts';
import { openStoredViews } from '../../src/views/stored-views.ts';
import { createObserve, random, randomIds, systemClock } from '../../src/world.ts';
import { createBucket, put, type Rig, user } from './rig.ts';
import { temporaryDirectory } from './temporary.ts';

export async function makeRealStore(objects = 40): Promise<Layout> {
  const home = await openHome({ files: nodeFiles, directory: await temporaryDirectory() });
  const { layout, nodeId, reserve } = home;
  const none = { kind: 'bytes', bytes: 0 } as const;
  const options: StoreOptions = {
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
    upkeep: { orphanGraceMs: 1e6, retentionMs: 'keep' },
    openViewsStore: ({ fresh }) =>
      openStoredViews({ files: nodeFiles, path: layout.views, newId: () => 'views', fresh }),
  };
  const store = await openStore(options);
  const rig = { store } as Rig;
  const alice = user('alice');
  await createBucket(rig, alice, 'b');
  for (let index = 0; index < objects; index += 1) {
    await put(rig, alice, { bucket: 'b', path: `p${index}`, bytes: Buffer.from(`${index}`) });
  }
  await store.close();
  await home.close();
  return layout;
}
