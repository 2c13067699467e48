/** One operation of the model, asked of a real store through its use cases. */
import { createHash } from 'node:crypto';
import type { WriteConditions } from '../../src/domain/preconditions.ts';
import type { Rejection } from '../../src/domain/rejection.ts';
import type { Call } from '../../src/service/service.ts';
import { get, key, type Rig } from '../support/rig.ts';
import { type Condition, type Operation, render, type Told, type Who } from './model.ts';
import type { Outcome } from './model-order.ts';
import { contents } from './model-program.ts';

/** Refusals for the state of the machine; the model knows none of it. */
const indisposed = new Set(['NotReady', 'Overloaded', 'ReadOnly', 'InsufficientStorage']);

export interface Asked {
  readonly who: Who;
  readonly requestId: string;
}

export function callOf({ who, requestId }: Asked): Call {
  if (who === 'nobody') return { caller: { kind: 'anonymous' }, requestId };
  if (who === 'service') return { caller: { kind: 'service', id: null }, requestId };
  return { caller: { kind: 'user', id: who }, requestId };
}

/** Never rejects: a fault leaves the outcome unknown. */
export async function perform(rig: Rig, operation: Operation, id: string): Promise<Outcome> {
  try {
    const { told, position } = await ask(rig, operation, id);
    if (told.code === 'OutcomeUnknown') return { kind: 'unknown' };
    if (indisposed.has(told.code)) return { kind: 'nothing' };
    return { kind: 'told', told, position };
  } catch {
    return { kind: 'unknown' };
  }
}

interface Answer {
  readonly told: Told;
  readonly position?: number;
}

async function ask(rig: Rig, operation: Operation, requestId: string): Promise<Answer> {
  const { buckets, objects } = rig.store.service;
  const { who, kind } = operation;
  const call = callOf({ who, requestId });
  const { bucket: name } = key(operation.bucket, 'p');
  switch (kind) {
    case 'create':
      return changed(
        await buckets.create(call, name, { ...operation.settings, allowed_mime_types: null }),
      );
    case 'update':
      return changed(await buckets.update(call, name, operation.settings));
    case 'drop':
      return changed(await buckets.remove(call, name, { force: operation.force }));
    case 'empty': {
      const emptied = await buckets.empty(call, name);
      if (!emptied.ok) return refused(emptied.rejection);
      return changed(emptied, String(emptied.value.deleted));
    }
    case 'put':
      return put(rig, call, operation);
    case 'remove': {
      const { ifMatch } = operation;
      const tags = ifMatch === null ? {} : { ifMatch: [tagOf(ifMatch)] };
      return changed(await objects.remove(call, key(name, operation.path), tags));
    }
    case 'read':
      return read(rig, call, operation);
    case 'list': {
      const page = await objects.list(call, { bucket: name, prefix: '', limit: 1000 });
      if (!page.ok) return refused(page.rejection);
      const rows = page.value.objects.map(
        (row) => [row.path, { content: contentOf(row), owner: row.owner_id }] as const,
      );
      return { told: { code: 'ok', seen: render(new Map(rows)) } };
    }
    default:
      return operation satisfies never;
  }
}

async function put(
  { store }: Rig,
  call: Call,
  { bucket, path, content, condition }: Extract<Operation, { kind: 'put' }>,
): Promise<Answer> {
  const { objects } = store.service;
  const { bytes, metadata } = contents[content] ?? { bytes: Buffer.alloc(0), metadata: null };
  const admission = await objects.admit(call, {
    ...key(bucket, path),
    contentType: 'text/plain',
    sizeBytes: bytes.length,
    conditions: conditionsOf(condition),
  });
  if (!admission.ok) return refused(admission.rejection);
  return changed(
    await objects.store(call, admission.value, {
      bytes: inChunks(bytes),
      details: async () => ({ ok: true, value: { cacheControl: null, metadata } }),
    }),
  );
}

async function read(
  rig: Rig,
  call: Call,
  { bucket, path }: Extract<Operation, { kind: 'read' }>,
): Promise<Answer> {
  const bytes = await get(rig, call, { bucket, path });
  if (typeof bytes === 'string') return { told: { code: bytes } };
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const index = contents.findIndex((content) => content.sha256 === sha256);
  return { told: { code: 'ok', seen: index < 0 ? `${bytes.length} other bytes` : String(index) } };
}

/** The index of the content with this digest and metadata, -1 for none. */
export function contentOf(row: {
  readonly etag: string;
  readonly metadata: string | null;
}): number {
  return contents.findIndex(({ etag, metadata }) => etag === row.etag && metadata === row.metadata);
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

function refused({ code }: Rejection): Answer {
  return { told: { code } };
}

async function* inChunks(bytes: Uint8Array, chunkBytes = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.byteLength; offset += chunkBytes) {
    yield bytes.subarray(offset, offset + chunkBytes);
  }
}
