import { describe } from 'vitest';
import { openMemoryBlobs } from '../../src/blobs/memory.ts';
import { blobIds } from '../support/bodies.ts';
import { blobStoreContract } from './blob-store.contract.ts';

describe('blobs in memory', () => {
  blobStoreContract(async () => {
    const store = openMemoryBlobs({ newBlobId: blobIds() });
    return {
      store,
      async damage(blobId, offset) {
        const bytes = store.bytesOf(blobId);
        if (bytes) bytes[offset] = ~(bytes[offset] ?? 0);
      },
    };
  });
});
