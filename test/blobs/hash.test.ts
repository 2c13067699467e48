import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { nativeBlake3, wasmBlake3 } from '../../src/blobs/hash.ts';

describe('BLAKE3', () => {
  test('of nothing is what the specification says', async () => {
    const empty = 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262';
    for (const implementation of [nativeBlake3, wasmBlake3]) {
      expect((await (await implementation())()).digest()).toBe(empty);
    }
  });

  property.prop([fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 8 })])(
    'is the same in both implementations, however the bytes are cut',
    async (chunks) => {
      const native = await (await nativeBlake3())();
      const wasm = await (await wasmBlake3())();
      for (const chunk of chunks) native.update(chunk);
      wasm.update(Buffer.concat(chunks));
      expect(wasm.digest()).toBe(native.digest());
    },
  );
});
