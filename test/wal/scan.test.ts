/** Frames that are whole, with CRCs that match, and still not what the writer would have written. */
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { MAIN } from '#wal';
import { FRAME_HEADER_BYTES, frameField, segmentKey } from '../../wal/format.ts';
import { encodeFrame, encodeTrailer } from '../../wal/frame.ts';
import { scanSegment } from '../../wal/recovery/scan.ts';
import type { SegmentHeader } from '../../wal/segment.ts';
import { emptyDisk, FIRST, knownBytes, open, position, text } from './support/logs.ts';

const timeMs = 1_700_000_000_000;

async function segment() {
  const disk = emptyDisk();
  const { log } = await open(disk, { nowMs: timeMs });
  const previousChain = log.chainHead.chain;
  await log.append(MAIN, [text('one')]);
  const logId = Buffer.from(log.id, 'hex');
  const header: SegmentHeader = {
    logId,
    epoch: log.epoch,
    first: position(1),
    createdMs: timeMs,
    previousChain,
  };
  const bytes = disk.content(FIRST);
  const key = segmentKey(header);
  return { header, bytes, key, place: { key, offset: bytes.length, chain: log.chainHead.chain } };
}

type Segment = Awaited<ReturnType<typeof segment>>;

const next = { first: position(2), durable: position(1), timeMs, records: [text('two')] };

/** Changes a header field and makes the CRC match again. */
function patched(image: Buffer, { key }: Segment, change: (header: Buffer) => void): Buffer {
  const copy = Buffer.from(image);
  change(copy);
  const crc = crc32(copy.subarray(0, frameField.headerCrc), key.seed);
  copy.writeUInt32LE(crc, frameField.headerCrc);
  return copy;
}

const cases: { name: string; make: (given: Segment) => Buffer; reason: RegExp }[] = [
  {
    name: 'for a later position',
    make: ({ place }) =>
      encodeFrame(place, { ...next, first: position(3), durable: position(2) }).image,
    reason: /for position 3/,
  },
  {
    name: 'for a later position, before an end that was not written',
    make: ({ place }) => {
      const later = { ...next, first: position(3), durable: position(2) };
      return Buffer.concat([encodeFrame(place, later).image, Buffer.alloc(600)]);
    },
    reason: /for position 3/,
  },
  {
    name: 'for an earlier position',
    make: ({ place }) =>
      encodeFrame(place, { ...next, first: position(1), durable: position(0) }).image,
    reason: /for position 1/,
  },
  {
    name: 'of another history',
    make: ({ place }) => encodeFrame({ ...place, chain: knownBytes('x', 32) }, next).image,
    reason: /chain value/,
  },
  {
    name: 'with an earlier time',
    make: ({ place }) => encodeFrame(place, { ...next, timeMs: timeMs - 1 }).image,
    reason: /older/,
  },
  {
    name: 'that is a trailer with another chain value',
    make: ({ place }) =>
      encodeTrailer({ ...place, chain: knownBytes('x', 32) }, { last: position(1), timeMs }),
    reason: /chain value/,
  },
  {
    name: 'that is a trailer with another time',
    make: ({ place }) => encodeTrailer(place, { last: position(1), timeMs: timeMs + 1 }),
    reason: /another time/,
  },
  {
    name: 'with another durable position',
    make: (given) =>
      patched(encodeFrame(given.place, next).image, given, (header) =>
        header.writeUInt8(0, frameField.durable),
      ),
    reason: /durable/,
  },
  {
    name: 'of a later version, before an end that was not written',
    make: (given) => {
      const image = patched(encodeFrame(given.place, next).image, given, (header) =>
        header.writeUInt8(2, frameField.version),
      );
      return Buffer.concat([image, Buffer.alloc(600)]);
    },
    reason: /version 2 is not known/,
  },
  {
    name: 'of an unknown type',
    make: (given) =>
      patched(encodeFrame(given.place, next).image, given, (header) =>
        header.writeUInt8(3, frameField.type),
      ),
    reason: /type 3 is not known/,
  },
  {
    name: 'of unknown flags',
    make: (given) =>
      patched(encodeFrame(given.place, next).image, given, (header) =>
        header.writeUInt8(2, frameField.flags),
      ),
    reason: /flags 2 are not known/,
  },
  {
    name: 'for another position, with a body that runs past the end',
    make: ({ place }) =>
      encodeFrame(place, { ...next, first: position(3), durable: position(2) }).image.subarray(
        0,
        FRAME_HEADER_BYTES + 8,
      ),
    reason: /for position 3/,
  },
];

describe('a scan', () => {
  it('takes a frame that follows', async () => {
    const { bytes, header, place } = await segment();
    const scan = scanSegment(Buffer.concat([bytes, encodeFrame(place, next).image]), header);
    expect(scan).toMatchObject({ last: 2, frames: 2, fault: undefined });
  });

  it.each(cases)('refuses a frame $name', async ({ make, reason }) => {
    const given = await segment();
    const scan = scanSegment(Buffer.concat([given.bytes, make(given)]), given.header);
    expect(scan).toMatchObject({ last: 1, end: given.bytes.length });
    expect(scan.fault).toMatchObject({ torn: false, position: 2, offset: given.bytes.length });
    expect(scan.fault?.reason).toMatch(reason);
  });
});
