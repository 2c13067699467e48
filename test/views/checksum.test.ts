import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { checksum } from '../../src/views/store/checksum.ts';

it('is the CRC-32 of any bytes, short or long, wherever they begin in memory', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(7), (bytes, skipped) => {
      const part = bytes.subarray(Math.min(skipped, bytes.length));
      expect(checksum(part)).toBe(crc32(part));
    }),
    { numRuns: 1000 },
  );
});

it('goes on from the checksum of what stands before', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(400), (bytes, cut) => {
      const [before, behind] = [bytes.subarray(0, cut), bytes.subarray(cut)];
      expect(checksum(behind, checksum(before))).toBe(crc32(bytes));
    }),
    { numRuns: 1000 },
  );
});

it('is right for every length up to where Node takes over, and beyond', () => {
  const bytes = Buffer.from(Array.from({ length: 300 }, (_, index) => (index * 151) & 0xff));
  for (let length = 0; length <= bytes.length; length += 1) {
    expect(checksum(bytes.subarray(0, length), 0xffff_fff0)).toBe(
      crc32(bytes.subarray(0, length), 0xffff_fff0),
    );
  }
});
