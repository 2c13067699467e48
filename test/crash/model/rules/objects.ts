/** The model of objects. */
import { guessedType } from '../contents.ts';
import type { Asked, Condition, Operation, Place, Transfer } from '../operations.ts';
import {
  type Bucket,
  type Made,
  renderObject,
  renderObjects,
  type StoredObject,
  type World,
} from '../world.ts';
import {
  idOf,
  owns,
  readable,
  reads,
  refuseAdd,
  refuseChange,
  refuseContent,
  refuseRead,
  sees,
} from './access.ts';
import { type Step, type Words, withBucket } from './words.ts';

type Of<Kind> = Extract<Operation, { kind: Kind }>;
type ObjectKind = 'put' | 'remove' | 'removeMany' | 'copy' | 'move' | 'patch' | 'read' | 'list';

export function stepObject(
  world: World,
  { id, operation }: Asked & { readonly operation: Of<ObjectKind> },
  words: Words,
): Step {
  switch (operation.kind) {
    case 'put': {
      const { who, bucket, path, condition } = operation;
      return stored(world, { ...operation, id, condition, at: { bucket, path } }, words, who);
    }
    case 'remove':
      return removed(world, operation, words);
    case 'removeMany':
      return manyRemoved(world, operation, words);
    case 'copy':
    case 'move':
      return transferred(world, { id, transfer: operation }, words);
    case 'patch':
      return patched(world, operation, words);
    case 'read': {
      const { who, path } = operation;
      const bucket = world.buckets.get(operation.bucket);
      const refusal = refuseRead(bucket, path, who);
      const object = bucket?.objects.get(path);
      return refusal || !object ? words.refuse(refusal ?? '') : words.show(renderObject(object));
    }
    case 'list':
      return listed(world, operation, words);
    default:
      return operation satisfies never;
  }
}

export interface Storing extends Pick<StoredObject, 'content' | 'type' | 'cache' | 'metadata'> {
  readonly id: Made;
  readonly at: Place;
  readonly condition: Condition;
}

/** An upload: an overwrite keeps what the object is and whose, and replaces the rest. */
export function stored(world: World, storing: Storing, words: Words, who: Of<'put'>['who']): Step {
  const { id, at, condition, content, type, cache, metadata } = storing;
  const bucket = world.buckets.get(at.bucket);
  const refusal = refuseAdd(bucket, at.path, who);
  if (refusal || !bucket) return words.refuse(refusal ?? '');
  const object = bucket.objects.get(at.path);
  const unmet = refuseContent(bucket, { content, type }) ?? refuseCondition(object, condition);
  if (unmet) return words.refuse(unmet);
  const { made, owner } = object ?? { made: id, owner: idOf(who) };
  const row = { made, owner, version: id, content, type, cache, metadata };
  return words.becomes(put(world, at, row), renderObject(row));
}

function refuseCondition(object: StoredObject | undefined, condition: Condition) {
  if (condition === 'no-overwrite') return object ? 'KeyAlreadyExists' : undefined;
  if (condition === 'if-none-match') return object ? 'PreconditionFailed' : undefined;
  if (condition === 'if-match-any') return object ? undefined : 'PreconditionFailed';
  if (condition === 'none') return undefined;
  return object?.content === condition ? undefined : 'PreconditionFailed';
}

function removed(world: World, operation: Of<'remove'>, words: Words): Step {
  const { who, path, ifMatch } = operation;
  const bucket = world.buckets.get(operation.bucket);
  const object = bucket?.objects.get(path);
  const refusal = refuseChange(bucket, object, { who, byBucketOwner: true });
  if (refusal) return words.refuse(refusal);
  if (ifMatch !== null && object?.content !== ifMatch) return words.refuse('PreconditionFailed');
  return words.becomes(put(world, operation, undefined));
}

/** What the caller may delete goes, the rest is left as if it were not there. */
function manyRemoved(world: World, operation: Of<'removeMany'>, words: Words): Step {
  const { who } = operation;
  const bucket = world.buckets.get(operation.bucket);
  if (!bucket || !isShown(bucket, who)) return words.refuse('NoSuchBucket');
  const paths = [...new Set(operation.paths)];
  const gone = new Map<string, StoredObject>();
  for (const path of paths) {
    const object = bucket.objects.get(path);
    if (!object || refuseChange(bucket, object, { who, byBucketOwner: true })) continue;
    gone.set(path, object);
  }
  const shown = new Map([...gone].filter(([, object]) => reads(bucket, who, object)));
  const seen = `${gone.size} of ${paths.length}: ${renderObjects(shown)}`;
  if (gone.size === 0) return words.show(seen);
  const objects = new Map([...bucket.objects].filter(([path]) => !gone.has(path)));
  return words.becomes(withBucket(world, operation.bucket, { ...bucket, objects }), seen);
}

function transferred(
  world: World,
  { id, transfer }: { readonly id: Made; readonly transfer: Transfer },
  words: Words,
): Step {
  const { kind, who, from, to, overwrite } = transfer;
  const source = world.buckets.get(from.bucket);
  const object = source?.objects.get(from.path);
  const taking =
    kind === 'copy'
      ? refuseRead(source, from.path, who)
      : refuseChange(source, object, { who, byBucketOwner: false });
  const target = world.buckets.get(to.bucket);
  const refusal = taking ?? refuseAdd(target, to.path, who);
  if (refusal || !object || !target) return words.refuse(refusal ?? '');
  const replaced = target.objects.get(to.path);
  const unmet = refuseContent(target, object);
  if (unmet) return words.refuse(unmet);
  if (replaced && !overwrite) return words.refuse('KeyAlreadyExists');
  const { metadata = object.metadata } = transfer;
  if (kind === 'move') {
    const row = { ...object, metadata };
    const stays = from.bucket === to.bucket && from.path === to.path;
    if (stays && metadata === object.metadata) return words.show(renderObject(row));
    return words.becomes(put(put(world, from, undefined), to, row), renderObject(row));
  }
  const { made, owner } = replaced ?? { made: id, owner: idOf(who) };
  const row = { ...object, metadata, made, owner, version: id };
  return words.becomes(put(world, to, row), renderObject(row));
}

function patched(world: World, operation: Of<'patch'>, words: Words): Step {
  const { who, path, changes, ifMatch, ifVersion } = operation;
  const bucket = world.buckets.get(operation.bucket);
  const object = bucket?.objects.get(path);
  const refusal = refuseChange(bucket, object, { who, byBucketOwner: false });
  if (refusal || !bucket || !object) return words.refuse(refusal ?? '');
  const { type, ...rest } = changes;
  const named = type === undefined ? {} : { type: type ?? guessedType };
  const row = { ...object, ...rest, ...named };
  const unmet = refuseContent(bucket, row);
  if (unmet) return words.refuse(unmet);
  if (ifMatch !== null && object.content !== ifMatch) return words.refuse('PreconditionFailed');
  if (ifVersion !== null && object.version !== ifVersion) return words.refuse('PreconditionFailed');
  const seen = renderObject(row);
  if (seen === renderObject(object)) return words.show(seen);
  return words.becomes(put(world, operation, row), seen);
}

function listed(world: World, { who, bucket: name }: Of<'list'>, words: Words): Step {
  const bucket = world.buckets.get(name);
  if (!bucket || !isShown(bucket, who)) return words.refuse('NoSuchBucket');
  return words.show(renderObjects(readable(bucket, who)));
}

/** Someone to whom the bucket does not exist still has what they own in it. */
function isShown(bucket: Bucket, who: Of<'list'>['who']): boolean {
  return sees(bucket, who) || [...bucket.objects.values()].some(({ owner }) => owns(owner, who));
}

function put(world: World, { bucket: name, path }: Place, object: StoredObject | undefined): World {
  const bucket = world.buckets.get(name);
  if (!bucket) return world;
  const objects = new Map(bucket.objects);
  if (object) objects.set(path, object);
  else objects.delete(path);
  return withBucket(world, name, { ...bucket, objects });
}
