/**
 * The keys of the views, as bytes, so that their order is the order in which lists are read: text is
 * UTF-8, numbers are u64 big-endian. The first byte names the kind of row:
 *
 *   o keyspace path              the current row            h keyspace path position   what it was
 *   w owner keyspace path        a caller's own rows        c keyspace created-ms id   by age
 *   r blob keyspace id           a row refers to the blob   k blob                     its CRCs
 *   q position blob              it was released there      f blob                     its last release
 *   b name                       the bucket                 y name 00 position         what it was
 *   t keyspace                   totals                     d keyspace                 to be drained
 *   u jti                        a used token               v scope position           a revocation
 *   i caller key                 an idempotent request      n owner name / m id        consumer / webhook
 *   x position index             history that expires there
 *   00 word                      about the views themselves; no part of their digest
 *
 * A path has no control characters (domain/names) and a position stays below 2^53, so its first byte
 * is 00: the rows of one path in `h` are exactly [path 00, path 01). A blob id is 32 hex digits.
 * Text of a caller that is followed by more is escaped: 00 becomes 00 FF, and 00 00 ends it.
 */
import type { Actor, SubscriptionOwner } from '../domain/events.ts';
import type {
  BlobId,
  BucketName,
  BucketUid,
  KeyspaceId,
  ObjectId,
  ObjectPath,
  Position,
} from '../domain/names.ts';

const U64_BYTES = 8;
const AFTER = Buffer.from([0xff]);
const NUL = Buffer.from([0]);

/** From `gte` on, up to but without `lt`. */
export interface KeyRange {
  readonly gte: Buffer;
  readonly lt: Buffer;
}

/** Everything that begins with `prefix`: no text has a byte FF, and no number begins with one. */
export function within(prefix: Buffer): KeyRange {
  return { gte: prefix, lt: after(prefix) };
}

/** The least key after all that begin with `prefix`. */
export function after(prefix: Buffer): Buffer {
  return Buffer.concat([prefix, AFTER]);
}

/** Every row but those about the views themselves. */
export const everyRow: KeyRange = { gte: Buffer.from([1]), lt: AFTER };

export function kindRange(
  kind: 'b' | 'c' | 'd' | 'i' | 'm' | 'n' | 'o' | 'q' | 't' | 'u' | 'v' | 'x',
): KeyRange {
  return within(Buffer.from(kind));
}

export function u64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(U64_BYTES);
  writeU64(bytes, value, 0);
  return bytes;
}

function writeU64(key: Buffer, value: number, at: number): void {
  key.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
  key.writeUInt32BE(value % 0x1_0000_0000, at + 4);
}

function readU64(key: Buffer, at: number): number {
  return key.readUInt32BE(at) * 0x1_0000_0000 + key.readUInt32BE(at + 4);
}

/** A kind, a number and a text: the shape of most keys. */
function numbered(kind: string, number: number, text: string): Buffer {
  const bytes = utf8(text);
  const key = begun(kind, U64_BYTES + bytes.length);
  writeU64(key, number, 1);
  key.set(bytes, 1 + U64_BYTES);
  return key;
}

/** A key of that kind, with room for so many bytes behind it. */
function begun(kind: string, roomBytes: number): Buffer {
  const key = Buffer.allocUnsafe(1 + roomBytes);
  key[0] = kind.charCodeAt(0);
  return key;
}

/**
 * The bytes of a text, not to be changed. An object's path, id and blob stand in several of its keys,
 * which are made one after the other: the last three that were asked for are remembered.
 */
function utf8(text: string): Buffer {
  for (const known of recent) if (known.text === text) return known.bytes;
  const bytes = Buffer.from(text);
  const oldest = recent[next];
  if (oldest) {
    oldest.text = text;
    oldest.bytes = bytes;
  }
  next = (next + 1) % recent.length;
  return bytes;
}

const recent = Array.from({ length: 3 }, () => ({ text: '', bytes: Buffer.alloc(0) }));
let next = 0;

function escaped(text: string): Buffer {
  if (text === lastEscaped.text) return lastEscaped.bytes;
  const bytes = Buffer.from(text);
  const free = bytes.includes(0)
    ? Buffer.from([...bytes].flatMap((byte) => (byte === 0 ? [0, 0xff] : [byte])))
    : bytes;
  lastEscaped = { text, bytes: Buffer.concat([free, NUL, NUL]) };
  return lastEscaped.bytes;
}

/** Of many objects that are stored one after the other the owner is often the same. */
let lastEscaped = { text: '', bytes: Buffer.from([0, 0]) };

/** `path` may be the beginning of one. */
export function objectKey(keyspace: KeyspaceId, path: string): Buffer {
  return numbered('o', keyspace, path);
}

export function keyspaceOf(key: Buffer): KeyspaceId {
  return readU64(key, 1) as KeyspaceId;
}

export function historyKey(place: {
  readonly keyspace: KeyspaceId;
  readonly path: ObjectPath;
  readonly position: Position;
}): Buffer {
  const path = utf8(place.path);
  const key = begun('h', 2 * U64_BYTES + path.length);
  writeU64(key, place.keyspace, 1);
  key.set(path, 1 + U64_BYTES);
  writeU64(key, place.position, 1 + U64_BYTES + path.length);
  return key;
}

/** `path` may be the beginning of one; without keyspace and path, what all of an owner's begin with. */
export function ownedKey(ownerId: string, keyspace?: KeyspaceId, path = ''): Buffer {
  const owner = escaped(ownerId);
  const bytes = utf8(path);
  const placeBytes = keyspace === undefined ? 0 : U64_BYTES + bytes.length;
  const key = begun('w', owner.length + placeBytes);
  key.set(owner, 1);
  if (keyspace === undefined) return key;
  writeU64(key, keyspace, 1 + owner.length);
  key.set(bytes, 1 + owner.length + U64_BYTES);
  return key;
}

/** Of a key that begins with `base`, an `ownedKey` without keyspace. */
export function keyspaceOfOwned(key: Buffer, base: Buffer): KeyspaceId {
  return readU64(key, base.length) as KeyspaceId;
}

/** `id` may be the beginning of one; without a time, what all of a keyspace begin with. */
export function createdKey(keyspace: KeyspaceId, createdAt?: number, id?: ObjectId): Buffer {
  if (createdAt === undefined) return numbered('c', keyspace, '');
  const bytes = utf8(id ?? '');
  const key = begun('c', 2 * U64_BYTES + bytes.length);
  writeU64(key, keyspace, 1);
  writeU64(key, createdAt, 1 + U64_BYTES);
  key.set(bytes, 1 + 2 * U64_BYTES);
  return key;
}

export function referenceKey(blobId: BlobId, keyspace: KeyspaceId, id: ObjectId): Buffer {
  const blob = utf8(blobId);
  const bytes = utf8(id);
  const key = begun('r', blob.length + U64_BYTES + bytes.length);
  key.set(blob, 1);
  writeU64(key, keyspace, 1 + blob.length);
  key.set(bytes, 1 + blob.length + U64_BYTES);
  return key;
}

export function referencesTo(blobId: BlobId): KeyRange {
  return within(Buffer.from(`r${blobId}`));
}

export function releaseKey(position: Position, blobId: BlobId): Buffer {
  return numbered('q', position, blobId);
}

export function releasesUpTo(position: Position): KeyRange {
  return { gte: Buffer.from('q'), lt: after(numbered('q', position, '')) };
}

/** Of a `q` or an `x` row. */
export function positionOf(key: Buffer): Position {
  return readU64(key, 1) as Position;
}

export function releasedBlobOf(key: Buffer): BlobId {
  return key.toString('latin1', 1 + U64_BYTES) as BlobId;
}

export function lastReleaseKey(blobId: BlobId): Buffer {
  return Buffer.from(`f${blobId}`);
}

export function crcsKey(blobId: BlobId): Buffer {
  const blob = utf8(blobId);
  const key = begun('k', blob.length);
  key.set(blob, 1);
  return key;
}

export function bucketKey(name: BucketName): Buffer {
  return Buffer.from(`b${name}`);
}

export function timelineKey(name: BucketName, position: Position): Buffer {
  return Buffer.concat([Buffer.from(`y${name}\0`), u64(position)]);
}

/** The rows of the same timeline before `key`. */
export function timelineBefore(key: Buffer): KeyRange {
  return { gte: key.subarray(0, key.length - U64_BYTES), lt: key };
}

export function totalsKey(keyspace: KeyspaceId): Buffer {
  return numbered('t', keyspace, '');
}

export function drainKey(keyspace: KeyspaceId): Buffer {
  return numbered('d', keyspace, '');
}

export function tokenUseKey(jti: string): Buffer {
  return Buffer.from(`u${jti}`);
}

export interface RevocationScope {
  readonly jti: string | null;
  readonly bucket_uid: BucketUid;
  readonly path: ObjectPath | null;
}

/** One row each, so that a later revocation never narrows an earlier one. */
export function revocationKey(scope: RevocationScope, position: Position): Buffer {
  return Buffer.concat([scopeKey(scope), u64(position)]);
}

/** The revocations of exactly that scope. */
export function revocationsOf(scope: RevocationScope): KeyRange {
  return within(scopeKey(scope));
}

function scopeKey({ jti, bucket_uid: uid, path }: RevocationScope): Buffer {
  const words = jti !== null ? ['j', jti] : path !== null ? ['p', uid, path] : ['b', uid];
  return Buffer.concat([Buffer.from('v'), ...words.map(escaped)]);
}

export function idempotencyKey(actor: Pick<Actor, 'role' | 'sub'>, key: string): Buffer {
  return ofCaller('i', actor, key);
}

/** `text` is what stands behind the caller: the last word of the key. */
function ofCaller(kind: string, { role, sub }: Pick<Actor, 'role' | 'sub'>, text: string): Buffer {
  const words = [role, ...(sub === null ? [] : [sub]), ''].map(escaped);
  return Buffer.concat([Buffer.from(kind), ...words, Buffer.from(text)]);
}

/** `name` may be '': what all of an owner's begin with. */
export function consumerKey(
  { owner_role: role, owner_id: sub }: SubscriptionOwner,
  name: string,
): Buffer {
  return ofCaller('n', { role, sub }, name);
}

export function webhookKey(id: string): Buffer {
  return Buffer.from(`m${id}`);
}

/** `index` tells apart what one record makes expire; at most 254, below the FF that ends a range. */
export function expiryKey(position: Position, index: number): Buffer {
  return Buffer.concat([numbered('x', position, ''), Buffer.from([index])]);
}

export function expiriesUpTo(position: Position): KeyRange {
  return { gte: Buffer.from('x'), lt: after(numbered('x', position, '')) };
}

export function metaKey(word: 'id' | 'projection' | 'applied'): Buffer {
  return Buffer.concat([NUL, Buffer.from(word)]);
}
