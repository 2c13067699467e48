/**
 * A small store at rest, whose every byte a test may change: built once, copied for each trial, and
 * told apart from any other by all that it shows.
 */
import { explain } from '../../src/cli/failures.ts';
import type { Store } from '../../src/store.ts';
import { createFaultyDisk, type FaultyDisk } from '../support/faulty-disk.ts';
import { type ForgetfulViews, forgetfulViews } from '../support/forgetful-views.ts';
import {
  createBucket,
  dataDirectory,
  get,
  key,
  makeRig,
  openRig,
  pathsIn,
  put,
  type Rig,
  type RigOptions,
  service,
  user,
} from '../support/rig.ts';

const alice = user('alice');
const buckets = ['b', 'c'];
const store: NonNullable<RigOptions['store']> = { fenceEvery: { records: 5, bytes: 1e9 } };

/** What lies on the disk and in the views while no process runs, and what the store showed last. */
export interface AtRest {
  readonly files: ReadonlyMap<string, Buffer>;
  readonly folders: readonly string[];
  readonly rows: ReadonlyMap<string, Buffer>;
  readonly shown: string;
}

/** Two runs of a store, the second ended in good order or by a kill; so two segments and a fence. */
export async function smallStore(ending: 'clean' | 'killed'): Promise<AtRest> {
  const rig = await openRig({ store });
  for (const bucket of buckets) await done(createBucket(rig, alice, bucket));
  await upload(rig, 'one', 'first');
  await upload(rig, 'two', 'to be removed');
  await rig.close();
  await rig.open();
  await upload(rig, 'one', 'first, again');
  await done(rig.store.service.objects.remove(alice, key('b', 'two')));
  await upload(rig, 'three', '');
  await rig.store.settled();
  const shown = await shownBy(rig);
  if (ending === 'clean') await rig.close();
  else await rig.kill();
  return atRest(rig, shown);
}

function upload(rig: Rig, path: string, text: string): Promise<void> {
  return done(put(rig, alice, { bucket: 'b', path, bytes: Buffer.from(text) }));
}

async function done(result: Promise<{ readonly ok: boolean }>): Promise<void> {
  const { ok } = await result;
  if (!ok) throw new Error('the small store could not be made');
}

function atRest({ disk, views }: Rig, shown: string): AtRest {
  const files = new Map<string, Buffer>();
  const folders: string[] = [];
  for (const path of disk.paths()) {
    const bytes = disk.peek(path);
    if (bytes) files.set(path, Buffer.from(bytes));
    else folders.push(path);
  }
  return { files, folders, rows: new Map(views.rows), shown };
}

/** A copy of its own, not open. */
export async function copyOf({ files, folders, rows }: AtRest): Promise<Rig> {
  const disk = createFaultyDisk();
  for (const folder of folders) await disk.files.makeDirectory(folder);
  for (const [path, bytes] of files) {
    await (await disk.files.open(path, 'create')).close();
    disk.poke(path, bytes);
  }
  const views: ForgetfulViews = forgetfulViews();
  for (const [name, row] of rows) await views.poke(name, row);
  return makeRig({ disk, views, store });
}

/** Everything that the store shows, to the last byte. */
export async function shownBy(rig: Rig): Promise<string> {
  const lines = [`digest ${await rig.store.views.digest()}`];
  for (const bucket of buckets) {
    for (const path of await pathsIn(rig, service, bucket)) {
      lines.push(`${bucket}/${path} ${String(await get(rig, service, { bucket, path }))}`);
    }
  }
  return lines.join('\n');
}

export type Outcome =
  | { readonly kind: 'refused'; readonly text: string }
  | { readonly kind: 'open'; readonly shown: string; readonly report: Store['report'] };

/** Starts, looks at everything, and stops again. Only a refusal that an operator can use counts. */
export async function start(rig: Rig): Promise<Outcome> {
  try {
    await rig.open();
  } catch (cause) {
    const { text } = explain(cause);
    if (text.includes('unexpected fault')) throw cause;
    return { kind: 'refused', text };
  }
  const { report } = rig.store;
  const shown = await shownBy(rig);
  await rig.close();
  return { kind: 'open', shown, report };
}

/** What was there before and is gone or another; what a start adds does not count. */
export function changedIn(disk: FaultyDisk, before: ReadonlyMap<string, Buffer>): string[] {
  const changed: string[] = [];
  for (const [path, bytes] of before) {
    // Who came last, and how often.
    const isChatter = path === `${dataDirectory}/pid` || path === `${dataDirectory}/starts`;
    if (!isChatter && !disk.peek(path)?.equals(bytes)) changed.push(path);
  }
  return changed;
}

/** A file's bytes with one bit changed. */
export function flipped(bytes: Buffer, bit: number): Buffer {
  const changed = Buffer.from(bytes);
  changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return changed;
}
