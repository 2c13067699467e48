/**
 * Fills a data directory by its log alone, as a store would whose views never came to anything: the
 * process that does it holds the directory, appends what uploads append, and ends by SIGKILL.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { nodeFiles } from '#files';
import { bucketFacts } from '../src/domain/bucket.ts';
import type { NewRecord, ObjectStored } from '../src/domain/events.ts';
import type {
  BlobId,
  BucketName,
  BucketUid,
  KeyspaceId,
  ObjectId,
  ObjectPath,
  Position,
} from '../src/domain/names.ts';
import { removeCleanMarker } from '../src/home/control.ts';
import { openHome } from '../src/home/home.ts';
import type { Layout } from '../src/home/layout.ts';
import { type Journal, openJournal } from '../src/journal/index.ts';
import { remember } from '../src/service/recovery.ts';
import { random, randomIds, systemClock } from '../src/world.ts';

/** Records that are on their way at once, and how many an append has. */
const inFlight = 64;
const recordsPerAppend = 16;
const body = Buffer.from('a small object');

export interface Filling {
  readonly bucket: string;
  /** The numbers of the objects: from `first` on, so `many`. */
  readonly first: number;
  readonly many: number;
  /** One blob for all objects, as copies have it, spares a file for each. */
  readonly blobs: 'own' | 'shared';
  /** How many of them, evenly spread, are the stranger's; all others are bench's. */
  readonly strange: number;
}

export const stranger = 'stranger';

/** Appends as a store does, which holds the directory, and is gone without a clean stop. */
export async function fillAndDie(dataDir: string, filling: Filling): Promise<void> {
  const { bucket, first, many, blobs, strange } = filling;
  const shared = blobs === 'shared' ? newBlobId() : undefined;
  if (shared) writeBlob(dataDir, shared);
  await withJournal(dataDir, async (journal, layout) => {
    await removeCleanMarker(nodeFiles, layout);
    const { uid, keyspace } = await bucketIn(journal, bucket);
    const row = bucketFacts({ ...settingsOf(bucket), uid });
    const strangers = new Set(
      Array.from({ length: strange }, (_, one) => first + Math.floor((one * many) / strange)),
    );
    const running = new Set<Promise<unknown>>();
    for (let index = first; index < first + many; index += recordsPerAppend) {
      const size = Math.min(recordsPerAppend, first + many - index);
      const records = Array.from({ length: size }, (_, one) =>
        stored(row, keyspace, {
          index: index + one,
          blobId: shared ?? newBlobId(),
          owner: strangers.has(index + one) ? stranger : 'bench',
        }),
      );
      if (!shared) for (const { event } of records) writeBlob(dataDir, event.object.blob_id);
      const appending = journal.append(records).then((done) => {
        if (!done.ok) throw new Error(done.rejection.code);
        running.delete(appending);
      });
      running.add(appending);
      if (running.size >= inFlight) await Promise.race(running);
    }
    await Promise.all(running);
    process.kill(process.pid, 'SIGKILL');
    await new Promise(() => {});
  });
}

type Facts = ReturnType<typeof bucketFacts>;

const settingsOf = (name: string) =>
  ({
    name: name as BucketName,
    policy: 'private',
    owner_id: 'bench',
    // So that whoever owns three of many objects sees the bucket.
    write_policy: 'authenticated',
    allowed_mime_types: null,
    max_file_size: null,
  }) as const;

/** The log's bucket of that name, which is made where there is none. */
async function bucketIn(
  journal: Journal,
  name: string,
): Promise<{ readonly uid: BucketUid; readonly keyspace: KeyspaceId }> {
  for await (const { records } of journal.read(0 as Position)) {
    for (const { event, position } of records) {
      if (event.type === 'bucket.created' && event.bucket.name === name) {
        return { uid: event.bucket.uid, keyspace: position };
      }
    }
  }
  const uid = randomIds.uuid() as BucketUid;
  const event = { type: 'bucket.created', bucket: { ...settingsOf(name), uid } } as const;
  const created = await journal.append([{ event, actor }]);
  if (!created.ok) throw new Error(created.rejection.code);
  return { uid, keyspace: created.value.first };
}

const actor: NewRecord['actor'] = {
  sub: 'bench',
  role: 'user',
  request_id: '0198c0de-0000-7000-8000-000000000000',
};

interface One {
  readonly index: number;
  readonly blobId: BlobId;
  readonly owner: string;
}

function stored(
  bucket: Facts,
  keyspace: KeyspaceId,
  { index, blobId, owner }: One,
): NewRecord & { readonly event: ObjectStored } {
  const crcs = Buffer.alloc(4);
  crcs.writeUInt32LE(crc32(body));
  const object = {
    size: body.length,
    etag: randomBytes(32).toString('hex'),
    blob_id: blobId,
    id: randomIds.uuid() as ObjectId,
    path: pathOf(index),
    owner_id: owner,
    content_type: 'image/jpeg',
    version: randomIds.uuid(),
    cache_control: null,
    metadata: '{"camera":"x"}',
    crcs,
    created_at: null,
  } as unknown as ObjectStored['object'];
  const event = {
    type: 'object.stored',
    bucket,
    keyspace,
    object,
    previous: null,
    source: null,
    restored_from: null,
    token: null,
  } as const;
  return { event, actor };
}

/** The path of the object of that number. */
export const pathOf = (index: number) =>
  `album-${index % 100}/photo-${String(index).padStart(7, '0')}.jpg` as ObjectPath;

/** All within 256 folders, so that filling does not make 100,000. */
const newBlobId = () => `00${randomBytes(15).toString('hex')}` as BlobId;

function writeBlob(dataDir: string, blobId: string): void {
  const folder = path.join(dataDir, 'blobs', blobId.slice(0, 2), blobId.slice(2, 4));
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, blobId), body);
}

/** A data directory and its log, held and open, with nothing above. */
export async function withJournal<T>(
  dataDir: string,
  use: (journal: Journal, layout: Layout) => Promise<T>,
): Promise<T> {
  mkdirSync(dataDir, { recursive: true });
  const home = await openHome({ files: nodeFiles, directory: dataDir, reserveBytes: 4096 });
  const { witnesses } = await remember(nodeFiles, home.layout);
  const journal = await openJournal({
    files: nodeFiles,
    directory: home.layout.wal,
    witnesses,
    random,
    clock: systemClock,
    version: 'bench',
    nodeId: home.nodeId,
  });
  try {
    return await use(journal, home.layout);
  } finally {
    await journal.close();
    await home.close();
  }
}
