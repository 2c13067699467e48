/** The order of values: numbers, then truth values, then text by its UTF-8 bytes, and nothing last. */
import type { Value } from './columns.ts';

const ranks: Readonly<Record<string, number>> = { number: 0, boolean: 1, string: 2, object: 3 };

/** Below zero where `left` comes first. */
export function compareValues(left: Value, right: Value): number {
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right);
  const byRank = (ranks[typeof left] ?? 0) - (ranks[typeof right] ?? 0);
  return byRank === 0 ? Number(left) - Number(right) : byRank;
}

/**
 * As the UTF-8 bytes compare. UTF-16 units compare the same but for surrogates, which stand for code
 * points above all other units.
 */
export function compareText(left: string, right: string): number {
  const shorter = Math.min(left.length, right.length);
  for (let index = 0; index < shorter; index += 1) {
    const a = left.charCodeAt(index);
    const b = right.charCodeAt(index);
    if (a !== b) return weight(a) - weight(b);
  }
  return left.length - right.length;
}

function weight(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x1_0000 : unit;
}
