/**
 * The CRC-32 of a row: over its key, then its value. Node's own is the fastest for long bytes, but a
 * call of it costs more than the 50 to 100 bytes that most keys and values have; those are summed here,
 * four bytes at a step ("slicing", Kounavis and Berry 2005), by the same polynomial.
 */
import { crc32 } from 'node:zlib';

/** From here on a call out of JavaScript pays. */
const LONG_BYTES = 160;

/** CRC-32 of what `before` is the CRC of, and then `bytes`; unsigned. */
export function checksum(bytes: Uint8Array, before = 0): number {
  return bytes.length < LONG_BYTES ? short(bytes, before) : crc32(bytes, before);
}

function short(bytes: Uint8Array, before: number): number {
  const { length } = bytes;
  let crc = ~before;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    crc ^= byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16);
    crc ^= byte(bytes, at + 3) << 24;
    crc =
      entry(THIRD, crc & 0xff) ^
      entry(SECOND, (crc >>> 8) & 0xff) ^
      entry(FIRST, (crc >>> 16) & 0xff) ^
      entry(OWN, crc >>> 24);
  }
  for (; at < length; at += 1) crc = (crc >>> 8) ^ entry(OWN, (crc ^ byte(bytes, at)) & 0xff);
  return ~crc >>> 0;
}

/** There always is one: `at` lies inside. */
function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function entry(table: Int32Array, index: number): number {
  return table[index] ?? 0;
}

/** What a byte does to the sum, and what it does when 1, 2 or 3 more bytes stand behind it. */
const OWN = Int32Array.from({ length: 256 }, (_, value) => {
  let crc = value;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
const FIRST = behind(OWN);
const SECOND = behind(FIRST);
const THIRD = behind(SECOND);

function behind(table: Int32Array): Int32Array {
  return table.map((crc) => (crc >>> 8) ^ entry(OWN, crc & 0xff));
}
