/**
 * The log as the history of what was attempted: every acknowledged change stands in it at the
 * position that the caller was told, nothing that was refused does, nothing stands in it that nobody
 * asked for, what is one operation is one frame, and no key was used for two of them.
 */
import { readLog } from '#wal';
import type { CommittedRecord, StoreEvent } from '../../../src/domain/events.ts';
import type { Position } from '../../../src/domain/names.ts';
import { decode } from '../../../src/journal/codec.ts';
import { dataDirectory, type Rig } from '../../support/rig.ts';
import { contentOf } from './contents.ts';
import type { Names } from './names.ts';
import type { Operation } from './operations.ts';
import { type Attempt, renderAttempt } from './order.ts';
import { objectOf } from './perform/requests.ts';
import { renderObject } from './world.ts';

/** A record with the frame that it came in. */
interface Logged extends CommittedRecord {
  readonly frame: Position;
}

export async function readHistory(rig: Rig): Promise<Logged[]> {
  const records: Logged[] = [];
  for await (const frame of readLog(rig.disk.files, `${dataDirectory}/wal`)) {
    const { first, timeMs, epoch } = frame;
    frame.records.forEach((bytes, index) => {
      const position = (first + index) as Position;
      records.push({ ...decode(bytes, { position, timeMs, epoch }), frame: first as Position });
    });
  }
  return records;
}

export function checkHistory(
  records: readonly Logged[],
  attempts: readonly Attempt[],
  names: Names,
): void {
  const byId = new Map(attempts.map((attempt) => [requestId(attempt), attempt]));
  const found = new Map<string, Logged[]>();
  for (const record of records) {
    const { event, actor, position } = record;
    if (actor.role === 'system') continue;
    const id = actor.request_id ?? '';
    if (!byId.has(id)) throw new Error(`position ${position} (${event.type}) is nobody's`);
    found.set(id, [...(found.get(id) ?? []), record]);
  }
  const byPosition = new Map(records.map((record) => [record.position as number, record]));
  for (const [id, attempt] of byId) checkRecords(attempt, found.get(id) ?? [], names);
  for (const attempt of attempts) checkAnswer(attempt, byPosition);
  checkKeys(attempts, records);
}

/** Both halves of a use by a signed URL are one request, which the second half is recorded for. */
function requestId({ id, operation }: Attempt): string {
  return operation.kind === 'spend' ? operation.look : id;
}

function checkRecords(attempt: Attempt, records: readonly Logged[], names: Names): void {
  const { outcome, operation } = attempt;
  const last = records.at(-1);
  const isDone = outcome.kind === 'told' && outcome.told.code === 'ok';
  if (!last) {
    const repeats = attempt.key !== null;
    if (!isDone || repeats || mayChangeNothing.has(operation.kind)) return;
    throw new Error(`acknowledged, but not in the log: ${renderAttempt(attempt)}`);
  }
  const what = `position ${last.position} for ${renderAttempt(attempt)}`;
  if (outcome.kind === 'nothing') throw new Error(`${what}: it was refused`);
  if (outcome.kind === 'told') {
    equal(what, outcome.told.code, 'ok');
    if (operation.kind !== 'spend') equal(what, String(outcome.position), String(last.position));
  }
  if (records.some(({ frame }) => frame !== last.frame)) {
    throw new Error(`${what}: it is in several frames`);
  }
  const facts = records.map(({ event }) => factsOf(event)).filter((fact) => fact !== '');
  const expected = expectedOf(operation, names);
  if (facts.some((fact) => !expected.includes(fact)) || new Set(facts).size < facts.length) {
    throw new Error(`${what}: it stands there as ${facts.join(' and ')}`);
  }
}

const mayChangeNothing: ReadonlySet<Operation['kind']> = new Set([
  ...(['update', 'patch', 'move', 'removeMany', 'revokeToken', 'revokeAll'] as const),
  ...(['read', 'list', 'sign', 'look', 'peek'] as const),
]);

/** The object that was answered is that of the record which stands at the answered position. */
function checkAnswer(attempt: Attempt, records: ReadonlyMap<number, CommittedRecord>): void {
  const { outcome } = attempt;
  if (outcome.kind !== 'told' || !outcome.object) return;
  const { event } = records.get(outcome.position ?? 0) ?? {};
  const isAsked = event && 'object' in event;
  // Nothing was changed: the position is of whatever was last.
  if (!isAsked && mayChangeNothing.has(attempt.operation.kind)) return;
  if (!isAsked) throw new Error(`the answer is not in the log: ${renderAttempt(attempt)}`);
  if (mayChangeNothing.has(attempt.operation.kind) && event.object.id !== outcome.object.id) return;
  const logged = `${event.object.id} ${event.object.version} ${renderObject(objectOf(event.object))}`;
  const { id, version, ...row } = outcome.object;
  equal(renderAttempt(attempt), `${id} ${version} ${renderObject(row)}`, logged);
}

/** One record at most has a caller's key, and whoever used the key with success was told of that. */
function checkKeys(attempts: readonly Attempt[], records: readonly CommittedRecord[]): void {
  const done = new Map<string, CommittedRecord>();
  for (const record of records) {
    if (!record.idempotency) continue;
    const name = `${record.actor.sub ?? 'service'} ${record.idempotency.key}`;
    if (done.has(name)) throw new Error(`position ${record.position} has the key ${name} again`);
    done.set(name, record);
  }
  const keyed = new Map([...done.values()].map((record) => [record.position as number, record]));
  for (const attempt of attempts) {
    const { outcome, key } = attempt;
    if (key === null || outcome.kind !== 'told' || outcome.told.code !== 'ok') continue;
    if (attempt.operation.kind === 'read' || attempt.operation.kind === 'list') continue;
    if (outcome.position === undefined) continue;
    const record = keyed.get(outcome.position);
    if (record?.idempotency?.key !== key) {
      throw new Error(`its key is not at its position: ${renderAttempt(attempt)}`);
    }
  }
}

/** '' for what is said beside what was done. */
function factsOf(event: StoreEvent): string {
  switch (event.type) {
    case 'object.stored': {
      const { bucket, object, source } = event;
      const at = `${bucket.name}/${object.path}`;
      if (source) return `copy ${source.bucket.name}/${source.path} ${at}`;
      return `put ${at} ${contentOf(object.etag)}`;
    }
    case 'object.patched':
      return `patch ${event.bucket.name}/${event.object.path}`;
    case 'object.moved': {
      const { from, to } = event;
      return `move ${from.bucket.name}/${from.path} ${to.bucket.name}/${to.path}`;
    }
    case 'object.deleted':
      return `remove ${event.bucket.name}/${event.path}`;
    case 'bucket.created':
      return `create ${event.bucket.name}`;
    case 'bucket.updated':
      return `update ${event.bucket.name}`;
    case 'bucket.emptied':
      return `empty ${event.bucket.name}`;
    case 'bucket.deleted':
      return `drop ${event.bucket.name}`;
    case 'token.used':
      return `spend ${event.jti}`;
    case 'token.revoked':
      return event.jti === null ? `revoke ${event.path ?? 'all'}` : `revoke ${event.jti}`;
    case 'request.answered':
      return '';
    default:
      return event.type;
  }
}

function expectedOf(operation: Operation, names: Names): readonly string[] {
  switch (operation.kind) {
    case 'put':
      return [`put ${operation.bucket}/${operation.path} ${operation.content}`];
    case 'putSigned': {
      const { bucket, path } = names.held(operation.token)?.claims ?? {};
      return [`put ${bucket}/${path} ${operation.content}`];
    }
    case 'removeMany':
      return operation.paths.map((path) => `remove ${operation.bucket}/${path}`);
    case 'copy':
    case 'move': {
      const { kind, from, to } = operation;
      const moved = `${kind} ${from.bucket}/${from.path} ${to.bucket}/${to.path}`;
      return [moved, `patch ${to.bucket}/${to.path}`];
    }
    case 'patch':
    case 'remove':
      return [`${operation.kind} ${operation.bucket}/${operation.path}`];
    case 'spend':
      return [`spend ${names.held(operation.token)?.claims.jti}`];
    case 'revokeToken':
      return [`revoke ${names.held(operation.token)?.claims.jti}`];
    case 'revokeAll':
      return [`revoke ${operation.path ?? 'all'}`];
    case 'create':
    case 'update':
    case 'empty':
    case 'drop':
      return [`${operation.kind} ${operation.bucket}`];
    default:
      return [];
  }
}

export function equal(what: string, found: string, expected: string): void {
  if (found !== expected) throw new Error(`${what}: ${found}, but must be ${expected}`);
}

export type History = readonly Logged[];
