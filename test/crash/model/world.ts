/**
 * What a store is, in plain maps: what the reference model works on. Nothing in it is on any disk.
 *
 * Buckets, objects, versions and tokens are named by the id of the operation that made each of them,
 * for the model can't know the ids that the store gives.
 */

/** The id of the operation that made it. */
export type Made = string;

export type Who = 'alice' | 'bob' | 'service' | 'nobody';
export type Policy = 'private' | 'authenticated' | 'public';
export type WritePolicy = 'owner' | 'authenticated';

export interface Settings {
  readonly policy: Policy;
  readonly write_policy: WritePolicy;
  readonly allowed_mime_types: readonly string[] | null;
  /** Bytes. */
  readonly max_file_size: number | null;
}

export interface StoredObject {
  readonly made: Made;
  readonly owner: string | null;
  readonly version: Made;
  /** Indexes in contents.ts; -1 is something that nobody stored. */
  readonly content: number;
  readonly metadata: number | null;
  readonly type: string;
  readonly cache: string | null;
}

export interface Bucket extends Settings {
  readonly made: Made;
  readonly owner: string | null;
  readonly objects: ReadonlyMap<string, StoredObject>;
}

/** A signed URL. */
export interface Token {
  readonly operation: 'download' | 'upload';
  readonly issuer: Who;
  readonly bucket: string;
  readonly bucketMade: Made;
  readonly path: string;
  /** Unix ms. */
  readonly issuedAt: number;
  readonly once: boolean;
  readonly version: Made | null;
  readonly upsert: boolean;
  readonly maxBytes: number | null;
}

/** Of one token, or of all of a bucket or a path that were issued up to a moment. */
export type Revocation =
  | { readonly token: Made }
  | {
      readonly bucketMade: Made;
      readonly path: string | null;
      /** When the last known token that it reaches was issued, Unix ms. */
      readonly until: number;
    };

/** What is remembered of a request with an idempotency key. */
export interface Remembered {
  readonly request: string;
  readonly by: Made;
  readonly told: Told;
}

export interface World {
  readonly buckets: ReadonlyMap<string, Bucket>;
  readonly tokens: ReadonlyMap<Made, Token>;
  readonly used: ReadonlySet<Made>;
  readonly revocations: readonly Revocation[];
  /** By caller and key. */
  readonly memory: ReadonlyMap<string, Remembered>;
}

/** What the caller is told: 'ok' or the code of the refusal, and what was seen. */
export interface Told {
  readonly code: string;
  readonly seen?: string;
}

export const emptyWorld: World = {
  buckets: new Map(),
  tokens: new Map(),
  used: new Set(),
  revocations: [],
  memory: new Map(),
};

/** As answers show an object. */
export function renderObject(object: Omit<StoredObject, 'made' | 'version'>): string {
  const { content, owner, type, cache, metadata } = object;
  return `${content} of ${owner ?? 'nobody'} (${type}, ${cache}, ${metadata})`;
}

export function renderObjects(objects: ReadonlyMap<string, StoredObject>): string {
  return [...objects]
    .map(([path, object]) => `${path}=${renderObject(object)}`)
    .sort()
    .join(', ');
}

/** What the service role can be shown of it. */
export function renderShown({ buckets }: Pick<World, 'buckets'>): string {
  const lines = [...buckets].map(([name, bucket]) => {
    const { made, owner, policy, write_policy, max_file_size, allowed_mime_types } = bucket;
    const settings = [policy, write_policy, max_file_size, allowed_mime_types?.join('|')];
    const objects = [...bucket.objects].map(
      ([path, object]) =>
        `\n    ${path}: ${renderObject(object)}, by ${object.made}, version ${object.version}`,
    );
    const head = `${name} by ${made}, of ${owner ?? 'nobody'} (${settings.join(', ')})`;
    return `${head}:${objects.sort().join('')}`;
  });
  return lines.sort().join('\n') || '(nothing)';
}

/** What the log tells of it: all but what callers were answered. */
export function renderLogged(world: World): string {
  const { tokens, used, revocations, memory } = world;
  const issued = [...tokens].map(([made, { bucketMade }]) => `${made} for ${bucketMade}`);
  const revoked = revocations.map((one) => JSON.stringify(one));
  const remembered = [...memory].map(([key, { by }]) => `${key} by ${by}`);
  return [
    renderShown(world),
    `tokens: ${issued.sort().join(', ')}`,
    `used: ${[...used].sort().join(', ')}`,
    `revoked: ${revoked.sort().join(', ')}`,
    `keys: ${remembered.sort().join(', ')}`,
  ].join('\n');
}

/** All of it. */
export function renderWorld(world: World): string {
  const told = [...world.memory].map(([key, one]) => `${key}: ${JSON.stringify(one.told)}`);
  return `${renderLogged(world)}\n${told.sort().join('\n')}`;
}
