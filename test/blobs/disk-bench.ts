/** Blobs in a real directory, whose disk calls can be seen and made to fail. */
import { join } from 'node:path';
import type { BlobStore, Staged } from '../../src/blobs/blob-store.ts';
import { openDiskBlobs } from '../../src/blobs/disk.ts';
import type { BlobId } from '../../src/domain/names.ts';
import { blobIds, reusingItsChunk } from '../support/bodies.ts';
import { type TappedFiles, tappedFiles } from '../support/tapped-files.ts';
import { temporaryDirectory } from '../support/temporary.ts';

export const noLimit = { maxBytes: Number.MAX_SAFE_INTEGER };
export const MiB = 1024 * 1024;

interface Bench {
  readonly store: BlobStore;
  readonly files: TappedFiles;
  readonly directory: string;
  readonly newBlobId: () => BlobId;
  staged(blobId: BlobId): string;
  published(blobId: BlobId): string;
}

export async function bench(): Promise<Bench> {
  const directory = await temporaryDirectory();
  const files = tappedFiles();
  const newBlobId = blobIds();
  const store = await openDiskBlobs({ files, directory, newBlobId });
  return {
    store,
    files,
    directory,
    newBlobId,
    staged: (id) => join(directory, 'staging', id),
    published: (id) => join(directory, 'blobs', id.slice(0, 2), id.slice(2, 4), id),
  };
}

export function stage(store: BlobStore, bytes: Uint8Array): Promise<Staged> {
  return store.stage(reusingItsChunk(bytes, 64 * 1024), noLimit);
}
