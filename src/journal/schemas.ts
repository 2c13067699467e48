/**
 * The shape of every record, at its current version, as zod schemas: the door through which events
 * enter the log and come back. A schema is strict, so that a field nobody reads is never written,
 * and typed against its event, so that the two can't drift apart.
 *
 * They are used in replay too, for all but the records of which a log has millions: those are read
 * straight from their bytes, to the same end (frequent-records.ts).
 */
import { z } from 'zod';
import { bucketPolicies, writePolicies } from '../domain/bucket.ts';
import {
  type EventType,
  type NewRecord,
  type StoreEvent,
  webhookStates,
} from '../domain/events.ts';

/**
 * A string that comes back as it went in: MessagePack is UTF-8, which has no lone surrogates. The
 * type is that of a branded name, which a record's reader trusts as its writer did.
 */
function text<T extends string = string>(): z.ZodType<T> {
  return z.string().refine((value) => value.isWellFormed(), 'is not well-formed Unicode') as never;
}

/** A whole number from 0 on: positions, sizes, Unix ms. */
function whole<T extends number = number>(): z.ZodType<T> {
  return z.int().nonnegative() as never;
}

const nullableText = text().nullable();
const bytes = z.instanceof(Uint8Array);

const actor = z.strictObject({
  sub: nullableText,
  role: z.enum(['anonymous', 'user', 'service', 'system']),
  request_id: nullableText,
});

const idempotency = z.strictObject({ key: text(), request_hash: text() });

const bucketFactsShape = {
  uid: text<never>(),
  name: text<never>(),
  policy: z.enum(bucketPolicies),
  owner_id: nullableText,
};
const bucketFacts = z.strictObject(bucketFactsShape);

const newBucketShape = {
  ...bucketFactsShape,
  write_policy: z.enum(writePolicies),
  allowed_mime_types: z.array(text()).nullable(),
  max_file_size: whole().nullable(),
};
const bucketRowShape = {
  ...newBucketShape,
  keyspace: whole<never>(),
  created_at: whole(),
  updated_at: whole(),
};
const bucketRow = z.strictObject(bucketRowShape);
const { updated_at: _updated, ...updatedBucketShape } = bucketRowShape;

const contentShape = { size: whole(), etag: text(), blob_id: text<never>() };

const objectFactsShape = {
  ...contentShape,
  id: text<never>(),
  path: text<never>(),
  owner_id: nullableText,
  content_type: text(),
  version: text(),
  cache_control: nullableText,
  metadata: nullableText,
};
const changedObject = z.strictObject({ ...objectFactsShape, created_at: whole() });

const previousShape = {
  ...contentShape,
  owner_id: nullableText,
  content_type: text(),
  version: text(),
  created_at: whole(),
  position: whole<never>(),
};
const previous = z.strictObject(previousShape);

const place = z.strictObject({
  bucket: bucketFacts,
  keyspace: whole<never>(),
  path: text<never>(),
});

const filter = z.strictObject({
  bucket: nullableText,
  prefix: nullableText,
  types: z.array(text()).nullable(),
});

const ownerShape = { owner_role: z.enum(['user', 'service']), owner_id: nullableText };

const oldKeyspaceShape = {
  bucket: bucketRow,
  old_keyspace: whole<never>(),
  count: whole(),
  bytes: whole(),
};

type FieldsOf<T extends EventType> = {
  readonly [K in Exclude<keyof Extract<StoreEvent, { type: T }>, 'type'>]: z.ZodType<
    Extract<StoreEvent, { type: T }>[K]
  >;
};

/** What each record holds besides `type`, `v`, `actor` and `idempotency`. */
const fields: { readonly [T in EventType]: FieldsOf<T> } = {
  'store.opened': {
    version: text(),
    node_id: text(),
    recovery: z.record(z.string(), z.number()),
  },
  'bucket.created': { bucket: z.strictObject(newBucketShape) },
  'bucket.updated': {
    bucket: z.strictObject(updatedBucketShape),
    previous: bucketRow,
    changed: z.array(text()),
  },
  'bucket.emptied': oldKeyspaceShape,
  'bucket.deleted': oldKeyspaceShape,
  'bucket.switched': {
    ...oldKeyspaceShape,
    new_keyspace: whole<never>(),
    as_of: whole<never>(),
    cause: text(),
  },
  'object.stored': {
    bucket: bucketFacts,
    keyspace: whole<never>(),
    object: z.strictObject({ ...objectFactsShape, crcs: bytes, created_at: whole().nullable() }),
    previous: previous.nullable(),
    source: z
      .strictObject({
        bucket: bucketFacts,
        path: text<never>(),
        id: text<never>(),
        owner_id: nullableText,
      })
      .nullable(),
    restored_from: nullableText,
    token: z.strictObject({ jti: text(), once: z.boolean(), expires_at: whole() }).nullable(),
  },
  'object.patched': {
    bucket: bucketFacts,
    keyspace: whole<never>(),
    object: changedObject,
    previous,
    changed: z.array(text()),
  },
  'object.moved': {
    from: place,
    to: place,
    object: changedObject,
    from_position: whole<never>(),
    previous: z.strictObject({ ...previousShape, id: text<never>() }).nullable(),
  },
  'object.deleted': {
    bucket: bucketFacts,
    keyspace: whole<never>(),
    id: text<never>(),
    path: text<never>(),
    previous,
    cause: z.strictObject({ type: text(), position: whole<never>() }).nullable(),
  },
  'object.restored': {
    bucket: bucketFacts,
    keyspace: whole<never>().nullable(),
    object: z.strictObject({
      ...objectFactsShape,
      crcs: bytes,
      created_at: whole(),
      updated_at: whole(),
      position: whole<never>(),
    }),
  },
  'token.used': {
    jti: text(),
    bucket_uid: text<never>(),
    path: text<never>(),
    expires_at: whole(),
  },
  'token.revoked': {
    jti: nullableText,
    bucket_uid: text<never>(),
    path: text<never>().nullable(),
    issued_before: whole().nullable(),
    expires_at: whole(),
  },
  'consumer.defined': {
    ...ownerShape,
    id: text(),
    name: text(),
    filter,
    from: whole<never>().nullable(),
    created_at: whole().nullable(),
  },
  'consumer.removed': { ...ownerShape, name: text() },
  'webhook.defined': {
    ...ownerShape,
    id: text(),
    url: text(),
    filter,
    state: z.enum(webhookStates),
    reason: nullableText,
    secrets: z.array(z.strictObject({ id: text(), until: whole().nullable() })),
    from: whole<never>().nullable(),
    created_at: whole().nullable(),
  },
  'webhook.removed': { id: text(), owner_id: nullableText },
  'request.answered': { answer: text() },
  'retention.advanced': { position: whole<never>(), time: whole() },
  'checkpoint.signed': {
    position: whole<never>(),
    chain: bytes,
    key_id: text(),
    signature: bytes,
  },
};

/** A record as it lies on disk: one flat map. */
export type FlatRecord = StoreEvent & { readonly v: number } & Omit<NewRecord, 'event'>;

function schemaOf(type: EventType, own: z.ZodRawShape): z.ZodType<FlatRecord> {
  return z.strictObject({
    type: z.literal(type),
    v: z.int().positive(),
    actor,
    idempotency: idempotency.optional(),
    ...own,
  }) as never;
}

/** The types of records that this program knows. */
export const eventTypes = Object.keys(fields) as EventType[];

/** By type; a Map, so that `constructor` is not a type. */
export const schemas: ReadonlyMap<string, z.ZodType<FlatRecord>> = new Map(
  eventTypes.map((type) => [type, schemaOf(type, fields[type])]),
);
