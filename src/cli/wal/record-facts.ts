/** What a record is about, for the columns and the filters of `wal dump`: a row for each type. */
import type { BucketFacts } from '../../domain/bucket.ts';
import type { EventType, Place, StoreEvent } from '../../domain/events.ts';

export interface RecordFacts {
  readonly bucket?: string;
  readonly path?: string;
  readonly owner?: string | null;
  /** A few words more, for people. */
  readonly note?: string;
  /** Everything that the filters may match, what the columns show included. */
  readonly matches: {
    /** Names and uids. */
    readonly buckets: readonly string[];
    readonly paths: readonly string[];
    readonly owners: readonly (string | null)[];
  };
}

type Describe<Type extends EventType> = (
  event: Extract<StoreEvent, { readonly type: Type }>,
) => RecordFacts;

const describe: { readonly [Type in EventType]: Describe<Type> } = {
  'store.opened': ({ version, node_id }) => plain({ note: `version ${version}, node ${node_id}` }),
  'bucket.created': ({ bucket }) => aboutBucket(bucket, bucket.policy),
  'bucket.updated': ({ bucket, changed }) => aboutBucket(bucket, `changed ${changed.join(', ')}`),
  'bucket.emptied': ({ bucket, count, bytes }) => aboutBucket(bucket, held(count, bytes)),
  'bucket.deleted': ({ bucket, count, bytes }) => aboutBucket(bucket, held(count, bytes)),
  'bucket.switched': ({ bucket, as_of }) => aboutBucket(bucket, `as of ${as_of}`),
  'object.stored': ({ bucket, object, previous, source }) => {
    const note = `${object.size} bytes, ${object.content_type}`;
    const facts = aboutObject({ bucket, path: object.path }, object.owner_id, note);
    const overwritten = alsoOwner(facts, previous?.owner_id ?? object.owner_id);
    return source === null ? overwritten : alsoPlace(overwritten, source, 'copied from');
  },
  'object.patched': ({ bucket, object, changed }) =>
    aboutObject({ bucket, path: object.path }, object.owner_id, `changed ${changed.join(', ')}`),
  'object.moved': ({ from, to, object, previous }) => {
    const facts = alsoOwner(
      aboutObject(to, object.owner_id),
      previous?.owner_id ?? object.owner_id,
    );
    return alsoPlace(facts, from, 'moved from');
  },
  'object.deleted': ({ bucket, path, previous, cause }) => {
    const note = cause === null ? undefined : `by ${cause.type} at ${cause.position}`;
    return aboutObject({ bucket, path }, previous.owner_id, note);
  },
  'object.restored': ({ bucket, object }) =>
    aboutObject({ bucket, path: object.path }, object.owner_id, `${object.size} bytes`),
  'token.used': ({ bucket_uid, path, jti }) => aboutUid(bucket_uid, path, `token ${jti}`),
  'token.revoked': ({ bucket_uid, path, jti }) =>
    aboutUid(bucket_uid, path, jti === null ? 'all issued before' : `token ${jti}`),
  'consumer.defined': ({ name, owner_id }) => plain({ owner: owner_id, note: name }),
  'consumer.removed': ({ name, owner_id }) => plain({ owner: owner_id, note: name }),
  'webhook.defined': ({ id, owner_id }) => plain({ owner: owner_id, note: id }),
  'webhook.removed': ({ id, owner_id }) => plain({ owner: owner_id, note: id }),
  'request.answered': ({ answer }) => plain({ note: `${answer.length} characters` }),
  'retention.advanced': ({ position }) => plain({ note: `below ${position}` }),
  'checkpoint.signed': ({ position, key_id }) => plain({ note: `at ${position}, key ${key_id}` }),
};

export const eventTypes: readonly string[] = Object.keys(describe);

export function recordFacts(event: StoreEvent): RecordFacts {
  // The table has the function of this very type; TypeScript can't see that the two go together.
  return (describe[event.type] as (event: StoreEvent) => RecordFacts)(event);
}

function plain(facts: { readonly owner?: string | null; readonly note: string }): RecordFacts {
  const owners = facts.owner === undefined ? [] : [facts.owner];
  return { ...facts, matches: { buckets: [], paths: [], owners } };
}

function aboutBucket({ uid, name, owner_id }: BucketFacts, note: string): RecordFacts {
  const matches = { buckets: [name, uid], paths: [], owners: [owner_id] };
  return { bucket: name, owner: owner_id, note, matches };
}

function aboutObject(
  { bucket, path }: Pick<Place, 'bucket' | 'path'>,
  owner: string | null,
  note?: string,
): RecordFacts {
  const matches = { buckets: [bucket.name, bucket.uid], paths: [path], owners: [owner] };
  return { bucket: bucket.name, path, owner, ...(note === undefined ? {} : { note }), matches };
}

/** Records about tokens know their bucket by its uid only. */
function aboutUid(uid: string, path: string | null, note: string): RecordFacts {
  const paths = path === null ? [] : [path];
  const matches = { buckets: [uid], paths, owners: [] };
  return { bucket: uid, ...(path === null ? {} : { path }), note, matches };
}

function alsoOwner(facts: RecordFacts, owner: string | null): RecordFacts {
  const { matches } = facts;
  return { ...facts, matches: { ...matches, owners: [...matches.owners, owner] } };
}

/** The other end of a copy or a move. */
function alsoPlace(
  facts: RecordFacts,
  { bucket, path }: Pick<Place, 'bucket' | 'path'>,
  how: string,
): RecordFacts {
  const { buckets, paths, owners } = facts.matches;
  const note = [facts.note, `${how} ${bucket.name}/${path}`].filter(Boolean).join(', ');
  const matches = {
    buckets: [...buckets, bucket.name, bucket.uid],
    paths: [...paths, path],
    owners,
  };
  return { ...facts, note, matches };
}

function held(count: number, bytes: number): string {
  return `${count} objects, ${bytes} bytes`;
}
