/** Blob stores with packs, on any disk and any index. */
import type { Files } from '#files';
import type { BlobStore } from '../../../src/blobs/blob-store.ts';
import { type LocalBlobsOptions, openLocalBlobs } from '../../../src/blobs/local.ts';
import type { BlobId } from '../../../src/domain/names.ts';
import { seededRandom } from '../../support/faulty-disk.ts';
import type { ForgetfulIndex } from '../../support/forgetful-index.ts';

export interface Place {
  readonly files: Files;
  readonly directory: string;
  readonly newBlobId: () => BlobId;
  readonly index: ForgetfulIndex;
  readonly warnings?: string[];
  readonly packs?: Partial<LocalBlobsOptions['packs']>;
}

/** Other bytes for each process, as the real source gives. */
let processes = 0;

export function openWithPacks(place: Place): Promise<BlobStore> {
  processes += 1;
  const random = seededRandom(processes);
  const bytes = (count: number) =>
    Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256)));
  return openLocalBlobs({
    ...place,
    packs: {
      directory: `${place.directory}/packs`,
      openIndex: (options) => place.index.open(options),
      isDamage: () => false,
      newIndexId: () => bytes(16).toString('hex'),
      newPackId: () => bytes(16),
      now: () => 1_700_000_000_000,
      observe: {
        warn: (message, facts) => void place.warnings?.push(`${message} ${JSON.stringify(facts)}`),
      },
      ...place.packs,
    },
  });
}
