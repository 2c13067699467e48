/**
 * The reference model: what a store is, in plain maps, written from docs/access-model.md and
 * docs/api.md and not from the code. One operation at a time, nothing on any disk.
 */

export type Who = 'alice' | 'bob' | 'service' | 'nobody';
export type Policy = 'private' | 'authenticated' | 'public';
export type WritePolicy = 'owner' | 'authenticated';

export interface Settings {
  readonly policy: Policy;
  readonly write_policy: WritePolicy;
  /** Bytes. */
  readonly max_file_size: number | null;
}

/** Content is named by its index in `contents` of model-program.ts. */
export type Operation =
  | {
      readonly kind: 'create';
      readonly who: Who;
      readonly bucket: string;
      readonly settings: Settings;
    }
  | {
      readonly kind: 'update';
      readonly who: Who;
      readonly bucket: string;
      readonly settings: Partial<Settings>;
    }
  | { readonly kind: 'empty'; readonly who: Who; readonly bucket: string }
  | {
      readonly kind: 'drop';
      readonly who: Who;
      readonly bucket: string;
      readonly force: boolean;
    }
  | {
      readonly kind: 'put';
      readonly who: Who;
      readonly bucket: string;
      readonly path: string;
      readonly content: number;
      readonly condition: Condition;
    }
  | {
      readonly kind: 'remove';
      readonly who: Who;
      readonly bucket: string;
      readonly path: string;
      readonly ifMatch: number | null;
    }
  | { readonly kind: 'read'; readonly who: Who; readonly bucket: string; readonly path: string }
  | { readonly kind: 'list'; readonly who: Who; readonly bucket: string };

/** Of an upload; a number is the content that must be there now. */
export type Condition = 'none' | 'if-none-match' | 'no-overwrite' | 'if-match-any' | number;

export interface StoredObject {
  readonly owner: string | null;
  readonly content: number;
}

export interface Bucket extends Settings {
  readonly owner: string | null;
  readonly objects: ReadonlyMap<string, StoredObject>;
}

export type World = ReadonlyMap<string, Bucket>;

/** What the caller is told: 'ok' or the code of the refusal, and what was read. */
export interface Told {
  readonly code: string;
  /** Of a read: the content's index. Of a list: each path and content. Of an empty: the count. */
  readonly seen?: string;
}

export interface Step {
  readonly told: Told;
  readonly world: World;
  /** True where it leaves a record: its position is then one of its own. */
  readonly recorded: boolean;
}

/** Bytes of each content. */
export type Sizes = readonly number[];

export function step(world: World, operation: Operation, sizes: Sizes): Step {
  const bucket = world.get(operation.bucket);
  const refuse = (code: string): Step => ({ told: { code }, world, recorded: false });
  const becomes = (changed: Bucket | undefined, seen?: string): Step => ({
    told: { code: 'ok', ...(seen === undefined ? {} : { seen }) },
    world: withBucket(world, operation.bucket, changed),
    recorded: true,
  });
  const show = (seen: string): Step => ({ told: { code: 'ok', seen }, world, recorded: false });
  const { who } = operation;
  if (who === 'nobody' && operation.kind !== 'read') return refuse('MissingAuthorization');
  switch (operation.kind) {
    case 'create':
      if (bucket) return refuse('BucketAlreadyExists');
      return becomes({ ...operation.settings, owner: idOf(who), objects: new Map() });
    case 'update':
      return updated(bucket, operation, { refuse, becomes, show });
    case 'empty': {
      const refusal = refuseOwner(bucket, who);
      if (refusal || !bucket) return refuse(refusal ?? 'NoSuchBucket');
      return becomes({ ...bucket, objects: new Map() }, String(bucket.objects.size));
    }
    case 'drop': {
      const refusal = refuseOwner(bucket, who);
      if (refusal || !bucket) return refuse(refusal ?? 'NoSuchBucket');
      if (bucket.objects.size > 0 && !operation.force) return refuse('BucketNotEmpty');
      return becomes(undefined);
    }
    case 'put': {
      const refusal = refusePut(bucket, operation, sizes);
      if (refusal || !bucket) return refuse(refusal ?? 'NoSuchBucket');
      const { path, content } = operation;
      const owner = (bucket.objects.get(path) ?? { owner: idOf(who) }).owner;
      return becomes({ ...bucket, objects: withObject(bucket, path, { owner, content }) });
    }
    case 'remove': {
      const refusal = refuseRemove(bucket, operation);
      if (refusal || !bucket) return refuse(refusal ?? 'NoSuchBucket');
      return becomes({ ...bucket, objects: withObject(bucket, operation.path, undefined) });
    }
    case 'read': {
      const object = bucket?.objects.get(operation.path);
      if (!bucket || !sees(bucket, who)) {
        // Its owner keeps reading an object, whatever became of the bucket's policy.
        return bucket && object && reads(bucket, who, object)
          ? show(String(object.content))
          : refuse('NoSuchBucket');
      }
      if (!object || !reads(bucket, who, object)) return refuse('NoSuchKey');
      return show(String(object.content));
    }
    case 'list': {
      if (!bucket) return refuse('NoSuchBucket');
      const own = [...bucket.objects.values()].some(({ owner }) => owns(owner, who));
      if (!sees(bucket, who) && !own) return refuse('NoSuchBucket');
      return show(render(readable(bucket, who)));
    }
    default:
      return operation satisfies never;
  }
}

/** The objects of the bucket that the caller is shown. */
function readable(bucket: Bucket, who: Who): ReadonlyMap<string, StoredObject> {
  return new Map([...bucket.objects].filter(([, object]) => reads(bucket, who, object)));
}

export function sees(bucket: Bucket, who: Who): boolean {
  if (who === 'service') return true;
  if (who === 'nobody') return bucket.policy === 'public';
  return owns(bucket.owner, who) || bucket.policy !== 'private' || bucket.write_policy !== 'owner';
}

export function render(objects: ReadonlyMap<string, StoredObject>): string {
  return [...objects]
    .map(([path, { content, owner }]) => `${path}=${content} of ${owner ?? 'nobody'}`)
    .sort()
    .join(', ');
}

export function renderWorld(world: World): string {
  const lines = [...world].map(
    ([name, { owner, policy, write_policy, max_file_size, objects }]) =>
      `${name} of ${owner ?? 'nobody'} (${policy}, ${write_policy}, ${max_file_size}): ${render(objects)}`,
  );
  return lines.sort().join('\n') || '(nothing)';
}

function reads(bucket: Bucket, who: Who, object: StoredObject): boolean {
  if (who === 'service' || owns(object.owner, who)) return true;
  if (who === 'nobody') return bucket.policy === 'public';
  return bucket.policy !== 'private';
}

function refuseOwner(bucket: Bucket | undefined, who: Who): string | undefined {
  if (!bucket || !sees(bucket, who)) return 'NoSuchBucket';
  return who === 'service' || owns(bucket.owner, who) ? undefined : 'AccessDenied';
}

function updated(
  bucket: Bucket | undefined,
  operation: Extract<Operation, { kind: 'update' }>,
  say: {
    refuse: (code: string) => Step;
    becomes: (bucket: Bucket) => Step;
    show: (seen: string) => Step;
  },
): Step {
  const { who, settings } = operation;
  const refusal = refuseOwner(bucket, who);
  if (refusal || !bucket) return say.refuse(refusal ?? 'NoSuchBucket');
  const order: readonly Policy[] = ['private', 'authenticated', 'public'];
  const widens = order.indexOf(settings.policy ?? bucket.policy) > order.indexOf(bucket.policy);
  const foreign = [...bucket.objects.values()].some(({ owner }) => owner !== bucket.owner);
  if (widens && foreign && who !== 'service') return say.refuse('AccessDenied');
  const changed = { ...bucket, ...settings };
  const same =
    changed.policy === bucket.policy &&
    changed.write_policy === bucket.write_policy &&
    changed.max_file_size === bucket.max_file_size;
  return same ? { ...say.show(''), told: { code: 'ok' } } : say.becomes(changed);
}

function refusePut(
  bucket: Bucket | undefined,
  operation: Extract<Operation, { kind: 'put' }>,
  sizes: Sizes,
): string | undefined {
  const { who, path, content, condition } = operation;
  if (!bucket) return 'NoSuchBucket';
  const object = bucket.objects.get(path);
  const allowed = object
    ? owns(object.owner, who)
    : owns(bucket.owner, who) || bucket.write_policy === 'authenticated';
  if (!allowed && who !== 'service') return sees(bucket, who) ? 'AccessDenied' : 'NoSuchBucket';
  const size = sizes[content] ?? 0;
  if (size > (bucket.max_file_size ?? Number.POSITIVE_INFINITY)) return 'EntityTooLarge';
  if (condition === 'no-overwrite') return object ? 'KeyAlreadyExists' : undefined;
  if (condition === 'if-none-match') return object ? 'PreconditionFailed' : undefined;
  if (condition === 'if-match-any') return object ? undefined : 'PreconditionFailed';
  if (condition === 'none') return undefined;
  return object?.content === condition ? undefined : 'PreconditionFailed';
}

function refuseRemove(
  bucket: Bucket | undefined,
  { who, path, ifMatch }: Extract<Operation, { kind: 'remove' }>,
): string | undefined {
  if (!bucket) return 'NoSuchBucket';
  const object = bucket.objects.get(path);
  const allowed = who === 'service' || owns(bucket.owner, who) || owns(object?.owner ?? null, who);
  if (!object || !allowed) {
    if (!sees(bucket, who)) return 'NoSuchBucket';
    return !object || !reads(bucket, who, object) ? 'NoSuchKey' : 'AccessDenied';
  }
  return ifMatch === null || object.content === ifMatch ? undefined : 'PreconditionFailed';
}

function withBucket(world: World, name: string, bucket: Bucket | undefined): World {
  const changed = new Map(world);
  if (bucket) changed.set(name, bucket);
  else changed.delete(name);
  return changed;
}

function withObject(bucket: Bucket, path: string, object: StoredObject | undefined) {
  const changed = new Map(bucket.objects);
  if (object) changed.set(path, object);
  else changed.delete(path);
  return changed;
}

function idOf(who: Who): string | null {
  return who === 'service' ? null : who;
}

function owns(owner: string | null, who: Who): boolean {
  return owner !== null && owner === idOf(who);
}
