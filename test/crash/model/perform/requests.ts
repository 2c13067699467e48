/** Requests for buckets and objects. */
import { createHash } from 'node:crypto';
import type { BucketName, ObjectPath } from '../../../../src/domain/names.ts';
import type { ObjectRow } from '../../../../src/domain/object.ts';
import type { WriteConditions } from '../../../../src/domain/preconditions.ts';
import type { Rejection } from '../../../../src/domain/rejection.ts';
import type { Result } from '../../../../src/domain/result.ts';
import type { Admission, Call, ReadableObject } from '../../../../src/service/service.ts';
import { key } from '../../../support/rig.ts';
import { contentOf, contents, metadataOf, metadataText } from '../contents.ts';
import type { Asked, Body, BucketOperation, Condition, Operation, Place } from '../operations.ts';
import type { AnsweredObject } from '../order.ts';
import { renderObject, renderObjects, type StoredObject } from '../world.ts';
import { type Answer, type Clients, callFor, refused } from './perform.ts';

type Of<Kind> = Extract<Operation, { kind: Kind }>;
type AskedOf<Kind> = Asked & { readonly operation: Of<Kind> };

export async function askBucket(
  { rig, names }: Clients,
  asked: Asked & { readonly operation: BucketOperation },
): Promise<Answer> {
  const { buckets } = rig.store.service;
  const { operation, id } = asked;
  const call = callFor(operation.who, asked);
  const name = operation.bucket as BucketName;
  switch (operation.kind) {
    case 'create': {
      const created = await buckets.create(call, name, operation.settings);
      if (created.ok) names.buckets.name(created.value.bucket.uid, id);
      return changed(created);
    }
    case 'update':
      return changed(await buckets.update(call, name, operation.settings));
    case 'drop':
      return changed(await buckets.remove(call, name, { force: operation.force }));
    case 'empty': {
      const emptied = await buckets.empty(call, name);
      return emptied.ok ? changed(emptied, String(emptied.value.deleted)) : changed(emptied);
    }
    default:
      return operation satisfies never;
  }
}

type ObjectKind = 'put' | 'remove' | 'removeMany' | 'copy' | 'move' | 'patch' | 'read' | 'list';

export async function askObject(clients: Clients, asked: AskedOf<ObjectKind>): Promise<Answer> {
  const { objects } = clients.rig.store.service;
  const { operation } = asked;
  const call = callFor(operation.who, asked);
  switch (operation.kind) {
    case 'put':
      return put(clients, { ...asked, operation });
    case 'remove': {
      const { ifMatch, bucket, path } = operation;
      const tags = ifMatch === null ? {} : { ifMatch: [tagOf(ifMatch)] };
      return changed(await objects.remove(call, key(bucket, path), tags));
    }
    case 'removeMany': {
      const paths = operation.paths as readonly ObjectPath[];
      const removed = await objects.removeMany(call, operation.bucket as BucketName, paths);
      if (!removed.ok) return refused(removed.rejection);
      const { deleted, skipped, rows } = removed.value;
      return changed(removed, `${deleted} of ${deleted + skipped}: ${renderRows(rows)}`);
    }
    case 'copy':
    case 'move': {
      const { from, to, overwrite, metadata } = operation;
      const transfer = {
        source: key(from.bucket, from.path),
        target: key(to.bucket, to.path),
        overwrite,
        ...(metadata === undefined ? {} : { metadata: metadataText(metadata) }),
      };
      return made(clients, { asked, at: to }, await objects[operation.kind](call, transfer));
    }
    case 'patch':
      return patch(clients, { ...asked, operation });
    case 'read':
      return read(clients, asked, await objects.read(call, key(operation.bucket, operation.path)));
    case 'list': {
      const bucket = operation.bucket as BucketName;
      const page = await objects.list(call, { bucket, prefix: '', limit: 1000 });
      if (!page.ok) return refused(page.rejection);
      return { told: { code: 'ok', seen: renderRows(page.value.objects) } };
    }
    default:
      return operation satisfies never;
  }
}

async function put(clients: Clients, asked: AskedOf<'put'>): Promise<Answer> {
  const { operation } = asked;
  const { bucket, path, type, condition } = operation;
  const { content, cache: _cache, metadata: _metadata, ...doors } = operation;
  const call = callFor(operation.who, asked, doors);
  const admission = await clients.rig.store.service.objects.admit(call, {
    ...key(bucket, path),
    contentType: type,
    sizeBytes: contents[content]?.bytes.length,
    conditions: conditionsOf(condition),
  });
  if (!admission.ok) return refused(admission.rejection);
  return send(clients, { asked, at: operation, call, admission: admission.value }, operation);
}

export interface Sending {
  readonly asked: Asked;
  readonly at: Place;
  readonly call: Call;
  readonly admission: Admission;
}

/** What content, cache control and metadata an upload has the store finds out by itself. */
export async function send(
  clients: Clients,
  { asked, at, call, admission }: Sending,
  { content, cache: cacheControl, metadata }: Body,
): Promise<Answer> {
  const { bytes } = contents[content] ?? { bytes: Buffer.alloc(0) };
  const stored = await clients.rig.store.service.objects.store(call, admission, {
    bytes: inChunks(bytes),
    details: async () => ({
      ok: true,
      value: { cacheControl, metadata: metadataText(metadata) },
    }),
  });
  return made(clients, { asked, at }, stored);
}

async function patch(clients: Clients, asked: AskedOf<'patch'>): Promise<Answer> {
  const { operation } = asked;
  const { bucket, path, changes, ifMatch, ifVersion } = operation;
  const { metadata, cache, type } = changes;
  const call = callFor(operation.who, asked);
  const patched = await clients.rig.store.service.objects.patch(call, key(bucket, path), {
    changes: {
      ...(metadata === undefined ? {} : { metadata: metadataText(metadata) }),
      ...(cache === undefined ? {} : { cache_control: cache }),
      ...(type === undefined ? {} : { content_type: type }),
    },
    ...(ifMatch === null ? {} : { ifMatch: [tagOf(ifMatch)] }),
    ...(ifVersion === null ? {} : { ifVersion: clients.names.versions.givenOf(ifVersion) }),
  });
  return made(clients, { asked, at: operation }, patched);
}

/** The row that is found, as its bytes are. */
async function read(
  { names }: Clients,
  { operation }: Asked,
  found: Result<ReadableObject>,
): Promise<Answer> {
  if (!found.ok) return refused(found.rejection);
  const { object } = found.value;
  if ('path' in operation && operation.path !== null && 'bucket' in operation) {
    names.see({ bucket: operation.bucket, path: operation.path }, object.version);
  }
  return { told: { code: 'ok', seen: await renderRead(found.value) } };
}

/** Reads to the last byte; bytes that are not those of the row show as content -1. */
export async function renderRead({ object, open }: ReadableObject): Promise<string> {
  const row = objectOf(object);
  const content = (await bytesOf(open)) === row.content ? row.content : -1;
  return renderObject({ ...row, content });
}

/** The index of the content that is read. */
export async function bytesOf(open: ReadableObject['open']): Promise<number> {
  const blob = await open();
  try {
    const hash = createHash('sha256');
    for await (const chunk of blob.bytes()) hash.update(chunk);
    const sha256 = hash.digest('hex');
    return contents.findIndex((content) => content.sha256 === sha256);
  } finally {
    await blob.close();
  }
}

interface Making {
  readonly asked: Asked;
  readonly at: Place;
}

function made(
  { names }: Clients,
  { asked, at }: Making,
  result: Result<{ readonly position: number; readonly object: ObjectRow }>,
): Answer {
  if (!result.ok) return refused(result.rejection);
  const { position, object: row } = result.value;
  const { kind } = asked.operation;
  const isNew = kind === 'put' || kind === 'putSigned' || kind === 'copy';
  // With a key it may be what an earlier one made.
  if (isNew && asked.key === null) names.versions.name(row.version, asked.id);
  names.see(at, row.version);
  const object: AnsweredObject = { ...objectOf(row), id: row.id, version: row.version };
  return { told: { code: 'ok', seen: renderObject(object) }, position, object };
}

type ShownRow = Pick<
  ObjectRow,
  'owner_id' | 'etag' | 'metadata' | 'content_type' | 'cache_control'
>;

export function objectOf(row: ShownRow): Omit<StoredObject, 'made' | 'version'> {
  return {
    owner: row.owner_id,
    content: contentOf(row.etag),
    metadata: metadataOf(row.metadata),
    type: row.content_type,
    cache: row.cache_control,
  };
}

function renderRows(rows: readonly ObjectRow[]): string {
  const unnamed = { made: '', version: '' };
  return renderObjects(new Map(rows.map((row) => [row.path, { ...objectOf(row), ...unnamed }])));
}

function changed(
  result:
    | { readonly ok: true; readonly value: { readonly position: number } }
    | { readonly ok: false; readonly rejection: Rejection },
  seen?: string,
): Answer {
  if (!result.ok) return refused(result.rejection);
  const told = { code: 'ok', ...(seen === undefined ? {} : { seen }) };
  return { told, position: result.value.position };
}

function tagOf(content: number) {
  return { tag: contents[content]?.etag ?? '', weak: false };
}

function conditionsOf(condition: Condition): WriteConditions {
  if (typeof condition === 'number') return { overwrite: true, ifMatch: [tagOf(condition)] };
  switch (condition) {
    case 'none':
      return { overwrite: true };
    case 'no-overwrite':
      return { overwrite: false };
    case 'if-match-any':
      return { overwrite: true, ifMatch: '*' };
    case 'if-none-match':
      return { overwrite: true, ifNoneMatch: '*' };
    default:
      return condition satisfies never;
  }
}

async function* inChunks(bytes: Uint8Array, chunkBytes = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += chunkBytes) {
    yield bytes.subarray(offset, offset + chunkBytes);
  }
}
