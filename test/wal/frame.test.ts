import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { FRAME_HEADER_BYTES, FRAME_MAGIC, genesisChain, segmentKey } from '../../wal/format.ts';
import {
  decodeFrameBody,
  decodeFrameHeader,
  encodeFrame,
  encodeTrailer,
  frameBytes,
  recordsOf,
} from '../../wal/frame.ts';
import { hex, knownBytes, position } from './support/logs.ts';

const logId = knownBytes('id', 16);
const key = segmentKey({ logId, first: position(1) });
const chain = genesisChain(logId);

/** Records as they come, and those that are hard on the rule of the sectors. */
const record = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.nat(3_000).map((length) => new Uint8Array(length)),
  fc.tuple(fc.nat(2_000), fc.nat(2_000)).map(([length, at]) => {
    const bytes = new Uint8Array(length + at + 1);
    bytes[at] = 1;
    return bytes;
  }),
  fc.nat(40).map((length) => Buffer.concat([Buffer.alloc(length), FRAME_MAGIC, Buffer.alloc(60)])),
);
const records = fc.array(record, { minLength: 1, maxLength: 8 });
const offset = fc.nat(300).map((units) => 128 + units * 8);
const first = fc.oneof(fc.nat(1_000), fc.nat(2 ** 31), fc.maxSafeNat()).map((value) => {
  return position(Math.min(value, 2 ** 52) + 1);
});

describe('a frame', () => {
  test.prop([records, offset, first, fc.maxSafeNat()])(
    'decodes to what was encoded, whatever its records and its place',
    (given, at, from, timeMs) => {
      const draft = { first: from, durable: position(from - 1), timeMs, records: given };
      const { image, chain: after } = encodeFrame({ key, offset: at, chain }, draft);
      expect(image.length).toBe(frameBytes(given));
      expect(image.length % 8).toBe(0);
      const header = decodeFrameHeader(image, 0, key);
      if (!header.ok) throw new Error(header.reason);
      expect(header.value).toMatchObject({ first: from, timeMs, count: given.length });
      const body = decodeFrameBody(image.subarray(FRAME_HEADER_BYTES), header.value, key);
      if (!body.ok) throw new Error(body.reason);
      expect(recordsOf(body.value.region).map(hex)).toEqual(given.map(hex));
      expect(hex(body.value.chain)).toBe(hex(after));
    },
  );

  test.prop([records, offset])(
    'holds four non-zero bytes in every sector and nothing that looks like another frame',
    (given, at) => {
      const draft = { first: position(1), durable: position(0), timeMs: 0, records: given };
      const { image } = encodeFrame({ key, offset: at, chain }, draft);
      expect(thinnestSector(image, at)).toBeGreaterThanOrEqual(4);
      for (let place = 8; place < image.length; place += 8) {
        expect(image.compare(FRAME_MAGIC, 0, 4, place, Math.min(place + 4, image.length))).not.toBe(
          0,
        );
      }
    },
  );

  it('keeps the rule of the sectors in a trailer at every place, on a chain value of zeros', () => {
    for (let at = 128; at < 1_200; at += 8) {
      const place = { key, offset: at, chain: new Uint8Array(32) };
      const image = encodeTrailer(place, { last: position(1), timeMs: 0 });
      expect(thinnestSector(image, at)).toBeGreaterThanOrEqual(4);
    }
  });

  it('masks only what needs it', () => {
    const draft = { first: position(1), durable: position(0), timeMs: 1 };
    const plain = encodeFrame({ key, offset: 128, chain }, { ...draft, records: [logId] });
    expect(plain.image.readUInt16LE(6)).toBe(0);
    const zeros = [new Uint8Array(2_000)];
    const masked = encodeFrame({ key, offset: 128, chain }, { ...draft, records: zeros });
    expect(masked.image.readUInt16LE(6)).toBe(1);
  });
});

function thinnestSector(image: Buffer, offset: number): number {
  const counts = new Map<number, number>();
  for (const [index, byte] of image.entries()) {
    const sector = Math.floor((offset + index) / 512);
    counts.set(sector, (counts.get(sector) ?? 0) + (byte === 0 ? 0 : 1));
  }
  return Math.min(...counts.values());
}
