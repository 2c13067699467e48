/**
 * What is asked of a store after each start: that its log tells a history which the answers allow,
 * that it shows what that history leads to, to each caller what they may see of it, with nothing left
 * over, and that repeats of what was done change nothing.
 */
import { verifyLog } from '#wal';
import { dataDirectory, type Rig } from '../../support/rig.ts';
import { publishedIn } from '../../support/stray.ts';
import { fold, rowOf } from './fold.ts';
import { checkHistory, equal, readHistory } from './history.ts';
import { bucketNames, paths } from './intents.ts';
import type { Asked, Operation } from './operations.ts';
import { type Attempt, renderAttempt } from './order.ts';
import { type Clients, callOf, perform } from './perform/perform.ts';
import { sees } from './rules/access.ts';
import { step } from './rules/step.ts';
import {
  type Bucket,
  renderLogged,
  renderShown,
  type StoredObject,
  type Who,
  type World,
} from './world.ts';

/** Those of `worlds` that the store shows; they differ in what callers would be answered again. */
export async function checkStore(
  clients: Clients,
  worlds: readonly World[],
  attempts: readonly Attempt[],
): Promise<World[]> {
  const { rig, names } = clients;
  const history = await readHistory(rig);
  const folded = fold(history, attempts, names);
  checkHistory(history, attempts, names);
  const told = renderLogged(folded);
  const possible = worlds.filter((one) => renderLogged(one) === told);
  const [world] = possible;
  if (!world) {
    const expected = worlds.map(renderLogged).join('\nor\n');
    throw new Error(`the log tells of\n${told}\nbut must tell of\n${expected}`);
  }
  await checkShown(clients, folded);
  for (const token of world.tokens.keys()) {
    await checkTold(clients, world, { kind: 'peek', token });
  }
  const remaining = await checkRepeats(clients, possible, attempts);
  checkStaging(rig);
  const { missing_blobs: missing } = rig.store.report;
  if (missing !== 0) throw new Error(`the blob check found ${missing} missing`);
  const { problems } = await verifyLog(rig.disk.files, `${dataDirectory}/wal`);
  if (problems.length > 0) throw new Error(`the log is damaged: ${JSON.stringify(problems)}`);
  return remaining;
}

/** To each caller what they may see of the world and no more, and no bytes of anything else. */
export async function checkShown(clients: Clients, world: World): Promise<void> {
  equal('what the store shows', renderShown(await observe(clients)), renderShown(world));
  for (const who of ['alice', 'bob', 'service', 'nobody'] as const) {
    await checkVisibility(clients, world, who);
  }
  const { rig } = clients;
  for (const blobId of publishedIn(rig)) {
    if (!rig.store.views.isRetained(blobId)) throw new Error(`no record names the blob ${blobId}`);
  }
}

/** Everything that the service role is shown; the bytes are read by `checkVisibility`. */
async function observe({ rig, names }: Clients): Promise<Pick<World, 'buckets'>> {
  const { buckets, objects } = rig.store.service;
  const call = callOf('service', looking);
  const rows = await buckets.list(call, everyBucket);
  if (!rows.ok) throw new Error(rows.rejection.code);
  const shown = new Map<string, Bucket>();
  for (const { name, uid, owner_id: owner, keyspace: _keyspace, ...settings } of rows.value) {
    const page = await objects.list(call, { bucket: name, prefix: '', limit: 1000 });
    if (!page.ok) throw new Error(page.rejection.code);
    const held = page.value.objects.map((row): [string, StoredObject] => [
      row.path,
      rowOf(row, names),
    ]);
    const made = names.buckets.madeOf(uid);
    shown.set(name, { ...settings, made, owner, objects: new Map(held) });
  }
  return { buckets: shown };
}

/** Each path is read to its last byte by whoever may, and is missing for whoever may not. */
async function checkVisibility(clients: Clients, world: World, who: Who): Promise<void> {
  if (who !== 'nobody') {
    const { buckets } = clients.rig.store.service;
    const rows = await buckets.list(callOf(who, looking), everyBucket);
    const shown = rows.ok ? rows.value.map(({ name }) => name).join() : rows.rejection.code;
    const seen = [...world.buckets].filter(([, bucket]) => sees(bucket, who));
    const expected = seen.map(([name]) => name);
    equal(`the buckets that ${who} sees`, shown, expected.sort().join());
  }
  for (const bucket of bucketNames) {
    await checkTold(clients, world, { kind: 'list', who, bucket });
    for (const path of paths) await checkTold(clients, world, { kind: 'read', who, bucket, path });
  }
}

async function checkTold(clients: Clients, world: World, operation: Operation): Promise<void> {
  const asked = { ...looking, operation };
  const { told } = step(world, asked);
  const outcome = await perform(clients, asked);
  const found = outcome.kind === 'told' ? JSON.stringify(outcome.told) : outcome.kind;
  equal(JSON.stringify(operation), found, JSON.stringify(told));
}

/**
 * Each request that was done under a key is repeated, and the key used for another one: the first is
 * told what was told then, at the position of then, and neither changes anything.
 */
async function checkRepeats(
  clients: Clients,
  worlds: readonly World[],
  attempts: readonly Attempt[],
): Promise<World[]> {
  const head = await headOf(clients);
  let left = [...worlds];
  const [world] = worlds;
  for (const [name, { by }] of world?.memory ?? []) {
    const first = attempts.find(({ id }) => id === by);
    if (!first || !world) throw new Error(`the key ${name} is nobody's`);
    const repeat: Asked = { id: `repeat of ${by}`, operation: first.operation, key: first.key };
    left = await stillTold(clients, left, repeat);
    for (const operation of othersThan(first.operation, name)) {
      left = await stillTold(clients, left, { id: `other than ${by}`, operation, key: first.key });
    }
  }
  equal('the head of the log after repeats', await headOf(clients), head);
  return left;
}

/** Another request, and the same one with other bytes, which only shows when they have come. */
function othersThan(first: Operation, name: string): Operation[] {
  const who = name.split(' ', 1)[0] as Who;
  const emptying: Operation = { kind: 'empty', who, bucket: 'a' };
  const isSame = JSON.stringify(first) === JSON.stringify(emptying);
  const others = isSame ? [] : [emptying];
  if (first.kind !== 'put' && first.kind !== 'putSigned') return others;
  return [...others, { ...first, content: (first.content + 1) % 5 }];
}

async function stillTold(clients: Clients, worlds: World[], asked: Asked): Promise<World[]> {
  const outcome = await perform(clients, asked);
  const told = outcome.kind === 'told' ? JSON.stringify(outcome.told) : outcome.kind;
  const left = worlds.filter((world) => JSON.stringify(step(world, asked).told) === told);
  if (left.length > 0) return left;
  const [world] = worlds;
  const expected = world && JSON.stringify(step(world, asked).told);
  const attempt = renderAttempt({ ...asked, began: 0, ended: 0, outcome });
  throw new Error(`a repeat is answered otherwise: ${attempt}, but must be ${expected}`);
}

async function headOf({ rig }: Clients): Promise<string> {
  const status = await rig.store.service.admin.status(callOf('service', looking));
  return status.ok ? String(status.value.positions.head) : status.rejection.code;
}

/** No body is staged: what was stored is published, and what was refused is gone. */
export function checkStaging(rig: Rig): void {
  const left = rig.disk.paths().find((path) => path.startsWith(`${dataDirectory}/staging/`));
  if (left !== undefined) throw new Error(`${left} is left over`);
}

const looking = { id: 'check', key: null } as const;

const everyBucket = {
  limit: 1000,
  offset: 0,
  search: '',
  sortColumn: 'name',
  sortOrder: 'asc',
} as const;
