/** Where the blob store on disk keeps what. No other file spells these names. */
import { join } from 'node:path';
import type { BlobId } from '../domain/names.ts';

export interface Places {
  readonly staging: string;
  readonly blobs: string;
  readonly quarantine: string;
  staged(blobId: BlobId): string;
  published(blobId: BlobId): string;
  /** The same, below the data directory. */
  file(blobId: BlobId): string;
  /** Where to look for a blob, in order: it may be renamed between two looks. */
  lookups(blobId: BlobId): readonly string[];
}

export function placesIn(directory: string): Places {
  const staging = join(directory, 'staging');
  const blobs = join(directory, 'blobs');
  const staged = (blobId: BlobId) => join(staging, blobId);
  const file = (blobId: BlobId) => join('blobs', blobId.slice(0, 2), blobId.slice(2, 4), blobId);
  const published = (blobId: BlobId) => join(directory, file(blobId));
  return {
    staging,
    blobs,
    quarantine: join(directory, 'quarantine'),
    staged,
    published,
    file,
    lookups: (blobId) => [published(blobId), staged(blobId), published(blobId)],
  };
}

export function isBlobId(name: string): name is BlobId {
  return /^[0-9a-f]{32}$/.test(name);
}
