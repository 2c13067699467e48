/**
 * Valid logs of any kind, out of arbitrary numbers: each step is read as an act, and an act that is
 * not possible now is skipped. The model beside the records says what the views must show.
 */
import fc from 'fast-check';
import { type BucketRow, bucketAfter, bucketFacts, type Totals } from '../../src/domain/bucket.ts';
import type {
  BucketEvent,
  CommittedRecord,
  ObjectMoved,
  ObjectPatched,
  ObjectRestored,
  ObjectStored,
  StoreEvent,
} from '../../src/domain/events.ts';
import type {
  BlobId,
  BucketName,
  BucketUid,
  KeyspaceId,
  ObjectId,
  ObjectPath,
  Position,
} from '../../src/domain/names.ts';
import { type ObjectRow, objectAfter, objectFacts, previousOf } from '../../src/domain/object.ts';
import type { CommittedFrame } from '../../src/journal/journal.ts';

export type Step = readonly [act: number, a: number, b: number, c: number];

export const arbitrarySteps = (maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(fc.tuple(fc.nat(99), fc.nat(999), fc.nat(999), fc.nat(999)), {
    maxLength,
    size: 'max',
  });

interface Draining {
  readonly bucket: BucketRow;
  readonly keyspace: KeyspaceId;
  readonly cause: { readonly type: string; readonly position: Position };
}

const names = ['b0', 'b1', 'b10'] as BucketName[];
const paths = ['a', 'a/b', 'a/c/d', 'é', 'z/', '写真/1', '🎈'] as ObjectPath[];
const owners = ['alice', 'bob', null];

export class RandomLog {
  readonly records: CommittedRecord[] = [];
  readonly buckets = new Map<BucketName, BucketRow>();
  readonly rows = new Map<KeyspaceId, Map<ObjectPath, ObjectRow>>();
  readonly draining: Draining[] = [];
  /** Of every keyspace, the owner of its bucket. */
  readonly #bucketOwners = new Map<KeyspaceId, string | null>();
  #position = 0;
  #retained = 0;
  #timeMs = 1_750_000_000_000;
  #serial = 0;

  constructor(steps: readonly Step[]) {
    for (const step of steps) this.#take(step);
  }

  get head(): Position {
    return this.#position as Position;
  }

  totals(keyspace: KeyspaceId): Totals {
    const rows = [...(this.rows.get(keyspace)?.values() ?? [])];
    const owner = this.#bucketOwners.get(keyspace);
    return {
      count: rows.length,
      bytes: rows.reduce((sum, row) => sum + row.size, 0),
      foreign: rows.filter((row) => row.owner_id !== owner).length,
    };
  }

  #take(step: Step): void {
    const [act, a, b, c] = step;
    const bucket = this.buckets.get(pick(names, a));
    if (act < 8) this.#bucketAct(step);
    else if (act < 40 && bucket) this.#store(bucket, step);
    else if (act < 50 && bucket) this.#copy(bucket, step);
    else if (act < 60 && bucket) this.#move(bucket, step);
    else if (act < 70 && bucket) this.#delete(bucket, pick(paths, b));
    else if (act < 75 && bucket) this.#patch(bucket, step);
    else if (act < 82) this.#drain(a);
    else if (act < 86 && bucket) this.#restore(bucket, b);
    else if (act < 93) this.#advanceRetention(a, b);
    else this.#other(act, b, c);
  }

  #commit(event: StoreEvent): { readonly position: Position; readonly timeMs: number } {
    this.#position += 1 + (this.#serial % 3);
    this.#timeMs += (this.#serial % 5) * 3_600_000;
    this.#serial += 1;
    const at = { position: this.#position as Position, timeMs: this.#timeMs };
    const idempotency =
      this.#serial % 4 === 0
        ? { idempotency: { key: `k${this.#serial % 7}`, request_hash: `${this.#serial}` } }
        : {};
    const actor = { sub: pick(owners, this.#serial), role: 'user', request_id: null } as const;
    this.records.push({ event, actor, ...idempotency, ...at, epoch: 1 });
    return at;
  }

  #bucketAct([act, a, b, c]: Step): void {
    const name = pick(names, a);
    const bucket = this.buckets.get(name);
    if (!bucket) {
      this.#commitBucket({
        type: 'bucket.created',
        bucket: {
          uid: `uid-${this.#serial}` as BucketUid,
          name,
          policy: 'private',
          owner_id: pick(owners, b),
          write_policy: 'owner',
          allowed_mime_types: null,
          max_file_size: null,
        },
      });
      return;
    }
    if (act < 4) {
      const { updated_at: _updated, ...row } = bucket;
      const next = { ...row, max_file_size: c };
      this.#commitBucket({
        type: 'bucket.updated',
        bucket: next,
        previous: bucket,
        changed: ['max_file_size'],
      });
      return;
    }
    const { count, bytes } = this.totals(bucket.keyspace);
    const type = act < 6 ? 'bucket.emptied' : 'bucket.deleted';
    this.#commitBucket({ type, bucket, old_keyspace: bucket.keyspace, count, bytes });
  }

  #commitBucket(event: BucketEvent): void {
    const at = this.#commit(event);
    const row = bucketAfter(event, at);
    if (row) {
      this.buckets.set(row.name, row);
      this.#bucketOwners.set(row.keyspace, row.owner_id);
    } else this.buckets.delete(event.bucket.name);
    if ('old_keyspace' in event && this.totals(event.old_keyspace).count > 0) {
      const cause = { type: event.type, position: at.position };
      const { uid, name, policy, owner_id } = event.bucket;
      const facts = { ...event.bucket, uid, name, policy, owner_id };
      this.draining.push({ bucket: facts, keyspace: event.old_keyspace, cause });
    }
  }

  #commitRow(
    keyspace: KeyspaceId | null,
    event: ObjectStored | ObjectPatched | ObjectMoved | ObjectRestored,
  ): KeyspaceId {
    const at = this.#commit(event);
    const row = objectAfter(event, at);
    const place = keyspace ?? at.position;
    this.#rowsOf(place).set(row.path, row);
    return place;
  }

  #rowsOf(keyspace: KeyspaceId): Map<ObjectPath, ObjectRow> {
    const rows = this.rows.get(keyspace) ?? new Map<ObjectPath, ObjectRow>();
    this.rows.set(keyspace, rows);
    return rows;
  }

  #newId(): string {
    this.#serial += 1;
    return `id-${String(this.#serial).padStart(6, '0')}`;
  }

  #store(bucket: BucketRow, [, , b, c]: Step): void {
    const path = pick(paths, b);
    const previous = this.#rowsOf(bucket.keyspace).get(path);
    const serial = this.#serial;
    this.#commitRow(bucket.keyspace, {
      type: 'object.stored',
      bucket: bucketFacts(bucket),
      keyspace: bucket.keyspace,
      object: {
        id: previous?.id ?? (this.#newId() as ObjectId),
        path,
        owner_id: c % 5 === 0 ? pick(owners, c) : (previous?.owner_id ?? pick(owners, c)),
        content_type: 'text/plain',
        version: `v${serial}`,
        cache_control: null,
        metadata: null,
        size: c,
        etag: `etag-${serial}`,
        blob_id: serial.toString(16).padStart(32, '0') as BlobId,
        crcs: Uint8Array.from([c % 256, 0, 0, 1]),
        created_at: previous?.created_at ?? null,
      },
      previous: previous ? previousOf(previous) : null,
      source: null,
      restored_from: null,
      token:
        c % 7 === 0
          ? { jti: `jti-${serial}`, once: c % 2 === 0, expires_at: this.#timeMs + c }
          : null,
    });
  }

  #copy(bucket: BucketRow, [, a, b, c]: Step): void {
    const source = pick([...this.#rowsOf(bucket.keyspace).values()], b);
    const target = this.buckets.get(pick(names, a + c)) ?? bucket;
    if (!source) return;
    const path = pick(paths, c);
    const previous = this.#rowsOf(target.keyspace).get(path);
    this.#commitRow(target.keyspace, {
      type: 'object.stored',
      bucket: bucketFacts(target),
      keyspace: target.keyspace,
      object: {
        ...objectFacts(source),
        id: previous?.id ?? (this.#newId() as ObjectId),
        path,
        owner_id: previous?.owner_id ?? source.owner_id,
        created_at: previous?.created_at ?? null,
        crcs: crcsOf(source),
      },
      previous: previous ? previousOf(previous) : null,
      source: {
        bucket: bucketFacts(bucket),
        path: source.path,
        id: source.id,
        owner_id: source.owner_id,
      },
      restored_from: null,
      token: null,
    });
  }

  #move(bucket: BucketRow, [, a, b, c]: Step): void {
    const row = pick([...this.#rowsOf(bucket.keyspace).values()], b);
    const target = this.buckets.get(pick(names, a + c)) ?? bucket;
    const path = pick(paths, c);
    if (!row || (target.keyspace === bucket.keyspace && path === row.path)) return;
    const previous = this.#rowsOf(target.keyspace).get(path);
    const { updated_at: _updated, position, ...object } = row;
    this.#rowsOf(bucket.keyspace).delete(row.path);
    this.#commitRow(target.keyspace, {
      type: 'object.moved',
      from: { bucket: bucketFacts(bucket), keyspace: bucket.keyspace, path: row.path },
      to: { bucket: bucketFacts(target), keyspace: target.keyspace, path },
      object: { ...object, path },
      from_position: position,
      previous: previous ? { ...previousOf(previous), id: previous.id } : null,
    });
  }

  #delete(bucket: BucketRow, path: ObjectPath): void {
    this.#remove(bucket.keyspace, path, { bucket, cause: null });
  }

  #remove(
    keyspace: KeyspaceId,
    path: ObjectPath,
    { bucket, cause }: { readonly bucket: BucketRow; readonly cause: Draining['cause'] | null },
  ): void {
    const row = this.#rowsOf(keyspace).get(path);
    if (!row) return;
    this.#rowsOf(keyspace).delete(path);
    const { id } = row;
    const previous = previousOf(row);
    this.#commit({
      type: 'object.deleted',
      bucket: bucketFacts(bucket),
      keyspace,
      id,
      path,
      previous,
      cause,
    });
  }

  #patch(bucket: BucketRow, [, , b, c]: Step): void {
    const row = pick([...this.#rowsOf(bucket.keyspace).values()], b);
    if (!row) return;
    const { updated_at: _updated, position: _position, ...object } = row;
    this.#commitRow(bucket.keyspace, {
      type: 'object.patched',
      bucket: bucketFacts(bucket),
      keyspace: bucket.keyspace,
      object: { ...object, metadata: `{"n":${c}}` },
      previous: previousOf(row),
      changed: ['metadata'],
    });
  }

  #drain(a: number): void {
    const draining = pick(this.draining, a);
    const path = draining && [...this.#rowsOf(draining.keyspace).keys()][0];
    if (!draining || !path) return;
    this.#remove(draining.keyspace, path, draining);
    if (this.totals(draining.keyspace).count === 0) {
      this.draining.splice(this.draining.indexOf(draining), 1);
    }
  }

  /** Up to three rows come back into a keyspace of their own, which the bucket then names. */
  #restore(bucket: BucketRow, b: number): void {
    let keyspace: KeyspaceId | null = null;
    for (const row of [...this.#rowsOf(bucket.keyspace).values()].slice(0, 1 + (b % 3))) {
      keyspace = this.#commitRow(keyspace, {
        type: 'object.restored',
        bucket: bucketFacts(bucket),
        keyspace,
        object: { ...row, crcs: crcsOf(row) },
      });
      this.#bucketOwners.set(keyspace, bucket.owner_id);
    }
    if (keyspace === null) return;
    const { count, bytes } = this.totals(bucket.keyspace);
    this.#commitBucket({
      type: 'bucket.switched',
      bucket,
      old_keyspace: bucket.keyspace,
      new_keyspace: keyspace,
      count,
      bytes,
      as_of: this.head,
      cause: 'restore',
    });
  }

  #advanceRetention(a: number, b: number): void {
    this.#retained += Math.floor(((this.#position - this.#retained) * (a % 101)) / 100);
    const time = this.#timeMs - (b % 48) * 3_600_000;
    this.#commit({ type: 'retention.advanced', position: this.#retained as Position, time });
  }

  #other(act: number, b: number, c: number): void {
    const bucket_uid = `uid-${b % 3}` as BucketUid;
    const path = pick(paths, c);
    const filter = { bucket: null, prefix: null, types: null };
    const expires_at = this.#timeMs + c * 100_000;
    const owner_id = pick(owners, b);
    const owner = { owner_role: owner_id === null ? 'service' : 'user', owner_id } as const;
    const scopes = [
      { jti: `jti-${b % 5}`, path: null, issued_before: null },
      { jti: null, path, issued_before: this.#timeMs },
      { jti: null, path: null, issued_before: this.#timeMs },
    ] as const;
    const acts: StoreEvent[] = [
      { type: 'token.used', jti: `jti-${b % 9}`, bucket_uid, path, expires_at },
      { type: 'token.revoked', bucket_uid, expires_at, ...pick(scopes, c) },
      c % 2 === 0
        ? {
            type: 'consumer.defined',
            ...owner,
            id: `c${act}`,
            name: `n${b % 3}`,
            filter,
            from: this.head,
            created_at: null,
          }
        : { type: 'consumer.removed', ...owner, name: `n${b % 3}` },
      c % 2 === 0
        ? {
            type: 'webhook.defined',
            ...owner,
            id: `w${b % 3}`,
            filter,
            url: 'https://x',
            state: 'active',
            reason: null,
            secrets: [],
            from: null,
            created_at: null,
          }
        : { type: 'webhook.removed', id: `w${b % 3}`, owner_id },
      { type: 'store.opened', version: '1', node_id: 'n', recovery: {} },
    ];
    this.#commit(pick(acts, act));
  }
}

function pick<T>(items: readonly [T, ...T[]], index: number): T;
function pick<T>(items: readonly T[], index: number): T;
function pick<T>(items: readonly T[], index: number): T {
  return items[index % items.length] as T;
}

/** Those that the blob had when it was uploaded; any will do here, if always the same. */
function crcsOf(row: ObjectRow): Uint8Array {
  return Uint8Array.from([row.size % 256, 0, 0, 1]);
}

/** `records` in frames of `sizes`, over and over. */
export async function* framesOf(
  records: readonly CommittedRecord[],
  sizes: readonly number[] = [1],
): AsyncGenerator<CommittedFrame> {
  let at = 0;
  for (let index = 0; at < records.length; index += 1) {
    const part = records.slice(at, at + Math.max(1, pick(sizes, index)));
    at += part.length;
    const [first, last] = [part[0], part.at(-1)];
    if (!first || !last) return;
    const { timeMs, epoch } = last;
    const chain = last.position.toString(16).padStart(64, '0');
    yield { first: first.position, last: last.position, timeMs, epoch, chain, records: part };
  }
}
