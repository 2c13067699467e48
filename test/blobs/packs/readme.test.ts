/** The worked example of src/blobs/packs/README.md is what the code writes and reads. */
import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import {
  decodeEntries,
  decodeNeedle,
  decodePackHeader,
  decodeTail,
  draftNeedle,
  encodeFooter,
  encodePackHeader,
  isWholeNeedle,
  packKey,
  placeNeedle,
} from '../../../src/blobs/packs/format.ts';
import type { BlobId } from '../../../src/domain/names.ts';

const id = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex');
const blobId = 'b10bb10bb10bb10bb10bb10bb10bb10b' as BlobId;
const needle = { blobId, offset: 128, length: 5 };

function written(): Buffer {
  const key = packKey(id, 7);
  const draft = draftNeedle(blobId, [Buffer.from('Hello')]);
  placeNeedle(draft, key, 128);
  const end = 128 + draft.image.length;
  const header = encodePackHeader(key, Date.UTC(2026, 0, 1));
  return Buffer.concat([header, draft.image, encodeFooter(key, [needle], end)]);
}

async function printed(): Promise<Buffer> {
  const page = await readFile('src/blobs/packs/README.md', 'utf8');
  const lines = page
    .split('\n')
    .flatMap((line) => /^\d{4} {2}((?: ?[0-9a-f]{2})+)/.exec(line)?.[1] ?? []);
  return Buffer.from(lines.join('').replaceAll(' ', ''), 'hex');
}

test('the example is what is written', async () => {
  expect((await printed()).toString('hex')).toBe(written().toString('hex'));
});

test('the example is read as the page says', async () => {
  const bytes = await printed();
  const { key, isWhole } = decodePackHeader(bytes, 7);
  if (!key) throw new Error('the header is not read');
  expect({ isWhole, id: Buffer.from(key.id) }).toEqual({ isWhole: true, id });
  expect(decodeNeedle(bytes, 128, { key, offset: 128 })).toEqual(needle);
  expect(isWholeNeedle(bytes.subarray(128, 176), needle, key)).toBe(true);
  expect(bytes.toString('latin1', 168, 173)).toBe('Hello');
  const tail = decodeTail(bytes.subarray(-48), { number: 7, sizeBytes: bytes.length });
  if (!tail) throw new Error('the tail is not read');
  expect(decodeEntries(bytes.subarray(tail.offset, -48), tail)).toEqual([needle]);
});

test('a needle, a tail or a header of another pack, or at another place, is none', async () => {
  const bytes = await printed();
  const other = packKey(id, 8);
  expect(decodePackHeader(bytes, 8).key).toBeUndefined();
  expect(decodeNeedle(bytes, 128, { key: other, offset: 128 })).toBeUndefined();
  const key = packKey(id, 7);
  expect(decodeNeedle(bytes, 128, { key, offset: 136 })).toBeUndefined();
  expect(decodeTail(bytes.subarray(-48), { number: 8, sizeBytes: bytes.length })).toBeUndefined();
  expect(decodeTail(bytes.subarray(-48), { number: 7, sizeBytes: 999 })).toBeUndefined();
});
