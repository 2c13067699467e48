/**
 * What is asked of a store after each start: that it shows one of the worlds which may be, to each
 * caller what they may see of it, with nothing left over; and that its log tells the same history.
 */
import { verifyLog } from '#wal';
import type { BlobId } from '../../src/domain/names.ts';
import { dataDirectory, type Rig } from '../support/rig.ts';
import {
  type Bucket,
  type Operation,
  renderWorld,
  type StoredObject,
  sees,
  step,
  type Who,
  type World,
} from './model.ts';
import { callOf, contentOf, perform } from './model-actions.ts';
import { bucketNames, paths, sizes } from './model-program.ts';

/** The world that the store shows, which must be one of `worlds`. */
export async function checkStore(rig: Rig, worlds: readonly World[]): Promise<World> {
  const shown = await observe(rig);
  const world = worlds.find((one) => renderWorld(one) === renderWorld(shown));
  if (!world) {
    const possible = worlds.map(renderWorld).join('\nor\n');
    throw new Error(`the store shows\n${renderWorld(shown)}\nbut must show\n${possible}`);
  }
  for (const who of ['alice', 'bob', 'service', 'nobody'] as const) {
    await checkVisibility(rig, world, who);
  }
  checkFiles(rig);
  const { missing_blobs: missing } = rig.store.report;
  if (missing !== 0) throw new Error(`the blob check found ${missing} missing`);
  const { problems } = await verifyLog(rig.disk.files, `${dataDirectory}/wal`);
  if (problems.length > 0) throw new Error(`the log is damaged: ${JSON.stringify(problems)}`);
  return world;
}

/** Everything that the service role is shown; the bytes are read by `checkVisibility`. */
async function observe(rig: Rig): Promise<World> {
  const { buckets, objects } = rig.store.service;
  const call = callOf({ who: 'service', requestId: 'check' });
  const rows = await buckets.list(call, everyBucket);
  if (!rows.ok) throw new Error(rows.rejection.code);
  const world = new Map<string, Bucket>();
  for (const { name, owner_id: owner, policy, write_policy, max_file_size } of rows.value) {
    const page = await objects.list(call, { bucket: name, prefix: '', limit: 1000 });
    if (!page.ok) throw new Error(page.rejection.code);
    const held = page.value.objects.map((row): [string, StoredObject] => [
      row.path,
      { owner: row.owner_id, content: contentOf(row) },
    ]);
    world.set(name, { owner, policy, write_policy, max_file_size, objects: new Map(held) });
  }
  return world;
}

/** Each path is read to its last byte by whoever may, and is missing for whoever may not. */
async function checkVisibility(rig: Rig, world: World, who: Who): Promise<void> {
  if (who !== 'nobody') {
    const call = callOf({ who, requestId: 'check' });
    const rows = await rig.store.service.buckets.list(call, everyBucket);
    const names = rows.ok ? rows.value.map(({ name }) => name).join() : rows.rejection.code;
    const expected = [...world].filter(([, bucket]) => sees(bucket, who)).map(([name]) => name);
    equal(`the buckets that ${who} sees`, names, expected.sort().join());
  }
  for (const bucket of bucketNames) {
    await checkTold(rig, world, { kind: 'list', who, bucket });
    for (const path of paths) await checkTold(rig, world, { kind: 'read', who, bucket, path });
  }
}

async function checkTold(rig: Rig, world: World, operation: Operation): Promise<void> {
  const { told } = step(world, operation, sizes);
  const outcome = await perform(rig, operation, 'check');
  equal(JSON.stringify(operation), JSON.stringify(outcome), JSON.stringify({ kind: 'told', told }));
}

/** No body is staged: what was stored is published, and what was refused is gone. */
export function checkStaging(rig: Rig): void {
  const left = rig.disk.paths().find((path) => path.startsWith(`${dataDirectory}/staging/`));
  if (left !== undefined) throw new Error(`${left} is left over`);
}

/** Every blob file has a record that names it. */
function checkFiles(rig: Rig): void {
  checkStaging(rig);
  for (const path of rig.disk.paths()) {
    const [, name] = /\/blobs\/\w\w\/\w\w\/(\w{32})$/.exec(path) ?? [];
    if (name !== undefined && !rig.store.views.isRetained(name as BlobId)) {
      throw new Error(`${path} is a blob that no record names`);
    }
  }
}

const everyBucket = {
  limit: 1000,
  offset: 0,
  search: '',
  sortColumn: 'name',
  sortOrder: 'asc',
} as const;

export function equal(what: string, found: string, expected: string): void {
  if (found !== expected) throw new Error(`${what}: ${found}, but must be ${expected}`);
}
