import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe } from 'vitest';
import { nodeFiles } from '#files';
import type { BlobStore } from '../../../src/blobs/blob-store.ts';
import { packName } from '../../../src/blobs/packs/format.ts';
import { readPack } from '../../../src/blobs/packs/read-pack.ts';
import { blobIds } from '../../support/bodies.ts';
import { forgetfulIndex } from '../../support/forgetful-index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { blobStoreContract } from '../blob-store.contract.ts';
import { openWithPacks } from './store-of-packs.ts';

const opened: BlobStore[] = [];
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

describe('blobs in packs and files', () => {
  blobStoreContract(async () => {
    const directory = await temporaryDirectory();
    const newBlobId = blobIds();
    const index = forgetfulIndex();
    const store = await openWithPacks({ files: nodeFiles, directory, newBlobId, index });
    opened.push(store);
    return {
      store,
      async damage(blobId, offset) {
        const packs = join(directory, 'packs');
        const { needles } = await readPack(nodeFiles, packs, 1).catch(() => ({ needles: [] }));
        const needle = needles.find((each) => each.blobId === blobId);
        const isStaged = (await store.listStaged()).includes(blobId);
        const at = isStaged
          ? join(directory, 'staging', blobId)
          : join(directory, 'blobs', blobId.slice(0, 2), blobId.slice(2, 4), blobId);
        const path = needle ? join(packs, packName(1)) : at;
        const file = await open(path, 'r+');
        const place = offset + (needle ? needle.offset + 40 : 0);
        const byte = Buffer.alloc(1);
        await file.read(byte, 0, 1, place);
        await file.write(Buffer.from([~(byte[0] ?? 0) & 0xff]), 0, 1, place);
        await file.close();
      },
    };
  });
});
