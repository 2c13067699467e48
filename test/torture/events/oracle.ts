/**
 * What a subscriber should have been told, from the log as the command line prints it and from
 * docs/events.md and docs/access-model.md alone: nothing here is shared with the server.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { binary, environment } from '../../acceptance/support/server.ts';

export interface Wanted {
  /** A user; undefined for the service role. */
  readonly user: string | undefined;
  readonly bucket: string | undefined;
  readonly prefix: string | undefined;
  readonly types: readonly string[] | undefined;
}

interface Facts {
  readonly name: string;
  readonly policy: 'private' | 'authenticated' | 'public';
  readonly write_policy?: 'owner' | 'authenticated';
  readonly owner_id: string | null;
}

interface Owned {
  readonly id: string;
  readonly path: string;
  readonly owner_id: string | null;
  readonly version: string;
}

/** A line of `wal dump --json`. */
interface Line {
  readonly position: number;
  readonly epoch: number;
  readonly type: string;
  readonly event: {
    readonly bucket: Facts;
    readonly object: Owned;
    readonly id: string;
    readonly path: string;
    readonly previous: Owned | null;
    readonly source: {
      readonly bucket: Facts;
      readonly path: string;
      readonly owner_id: string | null;
    } | null;
    readonly from: { readonly bucket: Facts; readonly path: string };
    readonly to: { readonly bucket: Facts; readonly path: string };
    readonly cause: { readonly type: string; readonly position: number } | null;
  };
}

interface Side {
  readonly bucket: Facts;
  readonly path: string | null;
  readonly owner: string | null;
}

interface Happened {
  readonly place: string;
  readonly position: number;
  readonly type: string;
  readonly object: string | null;
  readonly here: Side;
  readonly before?: Side;
  readonly source?: Side;
  readonly cause: number | undefined;
}

export interface Told {
  readonly position: number;
  /** All that is compared of an event, in one text. */
  readonly text: string;
}

export async function readLog(dataDir: string): Promise<readonly Happened[]> {
  const child = spawn(process.execPath, [binary, 'wal', 'dump', '--json', '--data-dir', dataDir], {
    env: environment({}),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  const happened: Happened[] = [];
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as Line;
    const one = happenedIn(line);
    if (one) happened.push(one);
  }
  const code = await exited;
  if (code !== 0) throw new Error(`wal dump ended with ${code}`);
  return happened;
}

/** What `wanted` should be told of that lies behind `position`. */
export function expected(
  log: readonly Happened[],
  wanted: Wanted,
  position: number,
): readonly Told[] {
  return log.flatMap((one) => {
    if (one.position <= position) return [];
    const text = toldOf(one, wanted);
    return text === undefined ? [] : [{ position: one.position, text }];
  });
}

/** The same of an event that was received. */
export function received(event: Readonly<Record<string, unknown>>): Told {
  const { id, type, position, bucket, path, object_id, previous, copied_from, cause } = event as {
    id: string;
    position: number;
    type: string;
    bucket: string | null;
    path: string | null;
    object_id: string | null;
    previous?: { bucket?: string; path?: string };
    copied_from?: { bucket: string; path: string };
    cause?: { position: number };
  };
  const [, epoch] = id.split('_');
  const was = previous?.bucket === undefined ? '' : ` from ${previous.bucket}/${previous.path}`;
  const copied = copied_from ? ` copy of ${copied_from.bucket}/${copied_from.path}` : '';
  const place = `${epoch}-${position}`;
  const text = `${place} ${type} ${bucket}/${path} ${object_id}${was}${copied}${because(cause?.position)}`;
  return { position, text };
}

const bucketTypes: Readonly<Record<string, string>> = {
  'bucket.created': 'storage.bucket.created',
  'bucket.updated': 'storage.bucket.updated',
  'bucket.emptied': 'storage.bucket.emptied',
  'bucket.deleted': 'storage.bucket.deleted',
  'bucket.switched': 'storage.bucket.restored',
};

function happenedIn({ position, epoch, type, event }: Line): Happened | undefined {
  const at = { place: `${epoch}-${position}`, position, cause: event.cause?.position };
  const { bucket, object, previous, source, from, to } = event;
  const bucketType = bucketTypes[type];
  if (bucketType !== undefined) {
    return { ...at, type: bucketType, object: null, here: sideOf(bucket, null, bucket.owner_id) };
  }
  switch (type) {
    case 'object.stored':
      return {
        ...at,
        type: previous ? 'storage.object.updated' : 'storage.object.created',
        object: object.id,
        here: sideOf(bucket, object.path, object.owner_id),
        ...(source ? { source: sideOf(source.bucket, source.path, source.owner_id) } : {}),
      };
    case 'object.patched':
      return {
        ...at,
        type: 'storage.object.updated',
        object: object.id,
        here: sideOf(bucket, object.path, object.owner_id),
      };
    case 'object.moved':
      return {
        ...at,
        type: 'storage.object.moved',
        object: object.id,
        here: sideOf(to.bucket, to.path, object.owner_id),
        before: sideOf(from.bucket, from.path, object.owner_id),
      };
    case 'object.deleted':
      return {
        ...at,
        type: 'storage.object.deleted',
        object: event.id,
        here: sideOf(bucket, event.path, previous?.owner_id ?? null),
      };
    default:
      return undefined;
  }
}

function sideOf(bucket: Facts, path: string | null, owner: string | null): Side {
  return { bucket, path, owner };
}

function toldOf(one: Happened, wanted: Wanted): string | undefined {
  const { type, here, before, source, object, place, cause } = one;
  if (wanted.types && !wanted.types.includes(type)) return undefined;
  const sees = (side: Side | undefined) => side !== undefined && mayHear(side, wanted.user);
  const fits = (side: Side | undefined) =>
    sees(side) && side !== undefined && isWanted(side, wanted);
  if (!fits(here) && !fits(before)) return undefined;
  const where = sees(here) ? `${here.bucket.name}/${here.path}` : 'null/null';
  const was = before && sees(before) ? ` from ${before.bucket.name}/${before.path}` : '';
  const copied = source && sees(source) ? ` copy of ${source.bucket.name}/${source.path}` : '';
  return `${place} ${type} ${where} ${object}${was}${copied}${because(cause)}`;
}

function because(position: number | undefined): string {
  return position === undefined ? '' : ` because of ${position}`;
}

/** docs/access-model.md: who reads an object, and who sees a bucket. */
function mayHear({ bucket, path, owner }: Side, user: string | undefined): boolean {
  if (user === undefined || owner === user) return true;
  if (bucket.policy !== 'private') return true;
  return path === null && bucket.write_policy === 'authenticated';
}

function isWanted({ bucket, path }: Side, wanted: Wanted): boolean {
  if (wanted.bucket !== undefined && wanted.bucket !== bucket.name) return false;
  return wanted.prefix === undefined || (path?.startsWith(wanted.prefix) ?? false);
}
