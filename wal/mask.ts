/**
 * The rule of the sectors: each 512-byte sector of the file, clipped to a frame, holds at least four
 * non-zero bytes of that frame, and nothing inside of a frame looks like the start of another one at
 * an 8-byte boundary.
 *
 * Recovery reads a sector of zeros as "never written" and a later frame header as "the one before it
 * was durable". Four bytes and not one, so that no flipped bit or byte makes a sector of zeros. A
 * body that breaks the rule is masked by a keystream, with the next one where that breaks it too.
 */
import { createCipheriv, createHash } from 'node:crypto';
import { ALIGNMENT_BYTES, FRAME_MAGIC, SECTOR_BYTES, type SegmentKey, writeU64 } from './format.ts';
import type { Position } from './log.ts';

export const MASKS = 256;
const DENSE_BYTES = 4;

/** Whether `frame`, lying at `offset` of its file, keeps the rule of the sectors. */
export function keepsSectorRule(frame: Buffer, offset: number): boolean {
  return everySectorIsDense(frame, offset) && !looksLikeFrames(frame);
}

/** Applies or removes mask number `retry` of the frame at `first`: it is its own inverse. */
export function mask(body: Uint8Array, key: SegmentKey, pick: MaskPick): Buffer {
  const name = Buffer.alloc(9);
  writeU64(name, pick.first, 0);
  name.writeUInt8(pick.retry, 8);
  const secret = createHash('sha256').update(key.logId).update(name).digest();
  return createCipheriv('aes-256-ctr', secret, Buffer.alloc(16)).update(body);
}

export interface MaskPick {
  readonly first: Position;
  readonly retry: number;
}

/** Whether a sector, clipped to [from, bytes.length), is all zero. `bytes` is a whole file. */
export function hasZeroSector(bytes: Uint8Array, from: number): boolean {
  for (let at = from; at < bytes.length; at = sectorEnd(at)) {
    const end = Math.min(sectorEnd(at), bytes.length);
    if (countNonZero(bytes.subarray(at, end), 1) === 0) return true;
  }
  return false;
}

function everySectorIsDense(frame: Buffer, offset: number): boolean {
  const end = offset + frame.length;
  for (let at = offset; at < end; at = sectorEnd(at)) {
    const part = frame.subarray(at - offset, Math.min(sectorEnd(at), end) - offset);
    if (countNonZero(part, DENSE_BYTES) < DENSE_BYTES) return false;
  }
  return true;
}

function looksLikeFrames(frame: Buffer): boolean {
  let at = frame.indexOf(FRAME_MAGIC, 1);
  while (at >= 0) {
    if (at % ALIGNMENT_BYTES === 0) return true;
    at = frame.indexOf(FRAME_MAGIC, at + 1);
  }
  return false;
}

/** How many bytes of `part` are not zero; stops counting at `enough`. */
function countNonZero(part: Uint8Array, enough: number): number {
  let count = 0;
  for (let at = 0; at < part.length && count < enough; at++) if (part[at] !== 0) count++;
  return count;
}

function sectorEnd(at: number): number {
  return (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES;
}
