import { describe, expect, it } from 'vitest';
import { type DurableFrame, Tail } from '../../wal/tail.ts';
import { position } from './support/logs.ts';

/** A frame of `count` empty records: 4 bytes for each, and 256 for its place in the ring. */
function frame(first: number, count: number): DurableFrame {
  const last = position(first + count - 1);
  const region = Buffer.alloc(4 * count);
  return { first: position(first), last, epoch: 1, timeMs: 1, region, chain: Buffer.alloc(32) };
}

function tailWith(ringBytes: number, counts: readonly number[]): Tail {
  const tail = new Tail({ position: position(0), chain: Buffer.alloc(32) }, ringBytes);
  for (const count of counts) tail.publish(frame(tail.head + 1, count));
  return tail;
}

describe('the ring of a tail', () => {
  it('finds the frame that holds a position', () => {
    const tail = tailWith(10_000, [1, 3, 1, 2]);
    const found = [1, 2, 3, 4, 5, 6, 7].map((at) => tail.find(position(at))?.first);
    expect(found).toEqual([1, 2, 2, 2, 5, 6, 6]);
    expect([tail.find(position(0)), tail.find(position(8))]).toEqual([undefined, undefined]);
    expect(tail.find(position(3))?.records).toHaveLength(3);
  });

  it('holds the last frames that fit, however many came', () => {
    const tail = tailWith(
      2_600,
      Array.from({ length: 1_000 }, () => 1),
    );
    for (let at = 1; at <= 1_000; at++) {
      expect(tail.find(position(at))?.last).toBe(at > 990 ? at : undefined);
    }
    expect(tailWith(0, [1]).find(position(1))).toBeUndefined();
  });

  it('takes only the frame that follows on its head', () => {
    const tail = tailWith(10_000, [2]);
    expect(() => tail.publish(frame(2, 1))).toThrow(/does not follow/);
    expect(() => tail.publish(frame(4, 1))).toThrow(/does not follow/);
  });
});
