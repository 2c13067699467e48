/** Records of a sample's shape with every value arbitrary: what a codec must bring back unchanged. */
import fc from 'fast-check';
import type { NewRecord } from '../../src/domain/events.ts';

/** Fields whose values are words of a fixed list, and lists of something else than text. */
const fixed: ReadonlySet<string> = new Set([
  'type',
  'role',
  'owner_role',
  'policy',
  'write_policy',
  'state',
  'secrets',
]);

const text = fc.string({ unit: 'binary', maxLength: 40 }).map((value) => value.toWellFormed());
const whole = fc.oneof(fc.maxSafeNat(), fc.nat(300));

export function variedRecord(sample: NewRecord): fc.Arbitrary<NewRecord> {
  return varied(sample, '') as fc.Arbitrary<NewRecord>;
}

function varied(value: unknown, name: string): fc.Arbitrary<unknown> {
  if (fixed.has(name) && name !== 'type') return fc.constant(value);
  if (typeof value === 'string') return name === 'type' ? fc.constant(value) : text;
  if (typeof value === 'number') return whole;
  if (typeof value === 'boolean') return fc.boolean();
  if (value instanceof Uint8Array) return fc.uint8Array({ maxLength: 300 });
  if (Array.isArray(value)) return fc.array(text, { maxLength: 5 });
  if (typeof value !== 'object' || value === null) return fc.constant(value);
  const parts = Object.entries(value).map(([key, part]) => [key, varied(part, key)] as const);
  return fc.record(Object.fromEntries(parts), { noNullPrototype: true });
}
