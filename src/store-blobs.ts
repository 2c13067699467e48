/** The blobs of a data directory: files, packs, and the packs' index in a LevelDB of its own. */
import { join } from 'node:path';
import type { Files } from '#files';
import type { BlobStore } from './blobs/blob-store.ts';
import { type LocalBlobsOptions, openLocalBlobs } from './blobs/local.ts';
import type { Clock, Ids, Observe } from './domain/effects.ts';
import type { Layout } from './home/layout.ts';
import { destroyLevel, openLevel } from './views/level.ts';
import { isDamage } from './views/store/damage.ts';

export interface BlobSettings {
  /** In `packs/index` unless told. */
  readonly openIndex?: LocalBlobsOptions['packs']['openIndex'];
  /** Bodies of up to so many bytes lie in packs; 64 KiB unless told. */
  readonly packUpToBytes?: number;
  readonly packLimits?: NonNullable<LocalBlobsOptions['packs']['limits']>;
}

export interface StoreBlobsOptions {
  readonly files: Files;
  readonly layout: Layout;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Bytes from a cryptographic source. */
  readonly random: (count: number) => Uint8Array;
  readonly observe: Observe;
  readonly blobSettings?: BlobSettings;
}

export function openBlobs(options: StoreBlobsOptions): Promise<BlobStore> {
  const { files, layout, clock, ids, random, observe, blobSettings = {} } = options;
  const { openIndex = levelIn(files, layout), packUpToBytes, packLimits } = blobSettings;
  return openLocalBlobs({
    files,
    directory: layout.directory,
    newBlobId: () => ids.blobId(),
    packs: {
      directory: layout.packs,
      openIndex,
      isDamage,
      newIndexId: () => Buffer.from(random(16)).toString('hex'),
      newPackId: () => random(16),
      now: () => clock.now(),
      observe,
      ...(packUpToBytes === undefined ? {} : { upToBytes: packUpToBytes }),
      ...(packLimits ? { limits: packLimits } : {}),
    },
  });
}

function levelIn(files: Files, layout: Layout): LocalBlobsOptions['packs']['openIndex'] {
  const place = { files, path: join(layout.packs, 'index') };
  return async ({ fresh }) => {
    if (fresh) await destroyLevel(place);
    return openLevel(place);
  };
}
