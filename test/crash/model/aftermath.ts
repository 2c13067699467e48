/** What is asked of a store when its program is over. */
import { hourMs, makeRig, type Rig, runJob } from '../../support/rig.ts';
import { publishedIn } from '../../support/stray.ts';
import { checkShown } from './check.ts';
import type { Figures } from './figures.ts';
import { equal } from './history.ts';
import type { Clients } from './perform/perform.ts';
import type { World } from './world.ts';

/** Once retention has passed: all that is shown can be read, and no other bytes are left. */
export async function checkCollection(clients: Clients, worlds: readonly World[]): Promise<void> {
  const { rig } = clients;
  const [world] = worlds;
  if (!world) throw new Error('there is no world left');
  rig.advance(8 * 24 * hourMs);
  await runJob(rig, 'sweep');
  await checkShown(clients, world);
  const needed = new Set<string>();
  for await (const { row } of rig.store.views.everyObject()) needed.add(row.blob_id);
  const kept = publishedIn(rig).sort().join();
  equal('the blobs that are left after the retention', kept, [...needed].sort().join());
}

/** The views are a function of the log: replayed, built anew, with other fences and without any. */
export async function checkRebuilds(
  rig: Rig,
  { figures, die }: { readonly figures: Figures; readonly die: Die },
): Promise<void> {
  const digest = await rig.store.views.digest();
  const again = async (what: string, other: Rig) => {
    await other.open();
    await other.store.settled();
    equal(`the digest ${what}`, await other.store.views.digest(), digest);
    figures.rebuilds += 1;
  };
  await die('power');
  await again('after a power cut', rig);
  await die('kill');
  rig.views.destroy();
  await again('after a rebuild', rig);
  await die('kill');
  const everyRecord = { records: 1, bytes: 1 };
  await again(
    'of fences everywhere',
    makeRig({ disk: rig.disk, store: { fenceEvery: everyRecord } }),
  );
}

/** The old process is gone before a new one begins. */
type Die = (kind: 'kill' | 'power') => Promise<void>;
