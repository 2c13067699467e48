/**
 * The world that the log tells of, folded by hand: a second projection, which shares nothing with the
 * views. On the way it learns what the store calls that which the operations made.
 */
import type { ObjectEvent, TokenRevoked } from '../../../src/domain/events.ts';
import { equal, type History } from './history.ts';
import type { Names } from './names.ts';
import { requestOf } from './operations.ts';
import type { Attempt } from './order.ts';
import { objectOf } from './perform/requests.ts';
import { issuerOf } from './perform/signed.ts';
import { lastIssued } from './rules/signed.ts';
import type { Bucket, Made, Remembered, Revocation, StoredObject, Token, World } from './world.ts';

type Record = History[number];

interface Folding {
  readonly buckets: Map<string, Bucket & { readonly objects: Map<string, StoredObject> }>;
  readonly tokens: ReadonlyMap<Made, Token>;
  readonly used: Set<Made>;
  readonly revocations: Revocation[];
  readonly memory: Map<string, Remembered>;
}

export function fold(history: History, attempts: readonly Attempt[], names: Names): World {
  for (const record of history) learn(record, names);
  const world: Folding = {
    buckets: new Map(),
    tokens: tokensOf(names),
    used: new Set(),
    revocations: [],
    memory: new Map(),
  };
  const drained = new Map<number, number>();
  for (const record of history) {
    foldEvent(world, record, { names, drained });
    remember(world, record, attempts);
  }
  for (const [position, left] of drained) {
    equal(`objects left to drain by ${position}`, String(left), '0');
  }
  return world;
}

/** The first record that tells of an id is of the operation that made it. */
function learn({ event, actor }: Record, names: Names): void {
  const made = actor.request_id ?? '';
  if (event.type === 'bucket.created') names.buckets.name(event.bucket.uid, made);
  if (event.type !== 'object.stored') return;
  names.objects.name(event.object.id, made);
  names.versions.name(event.object.version, made);
}

/** The held tokens, as they themselves claim. */
function tokensOf(names: Names): ReadonlyMap<Made, Token> {
  return new Map(
    names.tokens.map(({ made, claims }): [Made, Token] => {
      const { operation, bucket, bucket_uid, path, issued_at: issuedAt, once } = claims;
      const isUpload = claims.operation === 'upload';
      const pinned = isUpload ? null : claims.version;
      const token = {
        operation,
        issuer: issuerOf(claims),
        bucket,
        bucketMade: names.buckets.madeOf(bucket_uid),
        path,
        issuedAt,
        once,
        version: pinned === null ? null : names.versions.madeOf(pinned),
        upsert: isUpload && claims.upsert,
        maxBytes: isUpload ? claims.max_size : null,
      };
      return [made, token];
    }),
  );
}

interface Knowledge {
  readonly names: Names;
  /** How many objects of an emptied or deleted bucket are left, by its record. */
  readonly drained: Map<number, number>;
}

function foldEvent(world: Folding, { event, position }: Record, known: Knowledge): void {
  const { names, drained } = known;
  switch (event.type) {
    case 'bucket.created':
    case 'bucket.updated': {
      const { uid, name, owner_id: owner } = event.bucket;
      const { policy, write_policy, allowed_mime_types, max_file_size } = event.bucket;
      const settings = { policy, write_policy, allowed_mime_types, max_file_size };
      const objects = world.buckets.get(name)?.objects ?? new Map<string, StoredObject>();
      world.buckets.set(name, { ...settings, made: names.buckets.madeOf(uid), owner, objects });
      return;
    }
    case 'bucket.emptied':
    case 'bucket.deleted': {
      const bucket = world.buckets.get(event.bucket.name);
      equal('the count', String(event.count), String(bucket?.objects.size));
      drained.set(position, event.count);
      if (event.type === 'bucket.emptied') bucket?.objects.clear();
      else world.buckets.delete(event.bucket.name);
      return;
    }
    case 'object.stored':
    case 'object.patched':
    case 'object.moved':
    case 'object.deleted':
    case 'object.restored':
      foldObject(world, event, known);
      return;
    case 'token.used':
      use(world, event.jti, names);
      return;
    case 'token.revoked':
      revoke(world, event, names);
      return;
    default:
      return;
  }
}

function foldObject(world: Folding, event: ObjectEvent, { names, drained }: Knowledge): void {
  if (event.type === 'object.moved') {
    world.buckets.get(event.from.bucket.name)?.objects.delete(event.from.path);
    const { to, object } = event;
    world.buckets.get(to.bucket.name)?.objects.set(to.path, rowOf(object, names));
    return;
  }
  const objects = world.buckets.get(event.bucket.name)?.objects;
  if (event.type !== 'object.deleted') {
    objects?.set(event.object.path, rowOf(event.object, names));
    if (event.type === 'object.stored' && event.token?.once) use(world, event.token.jti, names);
    return;
  }
  const { cause } = event;
  // Drained objects are gone already.
  if (cause) drained.set(cause.position, (drained.get(cause.position) ?? 0) - 1);
  else objects?.delete(event.path);
}

export function rowOf(
  row: Parameters<typeof objectOf>[0] & { readonly id: string; readonly version: string },
  names: Names,
): StoredObject {
  const { id, version } = row;
  const made = names.objects.madeOf(id);
  return { made, version: names.versions.madeOf(version), ...objectOf(row) };
}

function use(world: Folding, jti: string, names: Names): void {
  world.used.add(madeOfToken(jti, names));
}

function revoke(world: Folding, event: TokenRevoked, names: Names): void {
  const { jti, bucket_uid, path, issued_before } = event;
  if (jti !== null) {
    world.revocations.push({ token: madeOfToken(jti, names) });
    return;
  }
  const until = lastIssued(world, issued_before ?? Number.POSITIVE_INFINITY);
  world.revocations.push({ bucketMade: names.buckets.madeOf(bucket_uid), path, until });
}

function madeOfToken(jti: string, { tokens }: Names): Made {
  return tokens.find(({ claims }) => claims.jti === jti)?.made ?? jti;
}

function remember(world: Folding, record: Record, attempts: readonly Attempt[]): void {
  const { idempotency, actor } = record;
  const attempt = attempts.find(({ id }) => id === actor.request_id);
  if (!idempotency || !attempt) return;
  const { id: by, operation } = attempt;
  const entry = { request: requestOf(operation), by, told: { code: 'ok' } };
  world.memory.set(`${actor.sub ?? 'service'} ${idempotency.key}`, entry);
}
