/**
 * Records as earlier programs wrote them. A golden file is never changed: a type that changes gets a
 * new version, a new pair of files, and an upcast that makes the old one equal to what it says today.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Position } from '../../src/domain/names.ts';
import { decode, encode } from '../../src/journal/codec.ts';
import { eventTypes } from '../../src/journal/schemas.ts';
import { currentVersion } from '../../src/journal/upcasts.ts';
import { samples } from './samples.ts';

const directory = join(import.meta.dirname, 'golden');
const names = readdirSync(directory)
  .filter((name) => name.endsWith('.hex'))
  .map((name) => name.slice(0, -'.hex'.length));
const at = { position: 7 as Position, timeMs: 1_750_000_000_000, epoch: 3 };

function bytesOf(name: string): Uint8Array {
  return Uint8Array.from(
    Buffer.from(readFileSync(join(directory, `${name}.hex`), 'utf8').replace(/\s/g, ''), 'hex'),
  );
}

function readable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, part) =>
      part instanceof Uint8Array ? { hex: Buffer.from(part).toString('hex') } : part,
    ),
  );
}

describe('golden records', () => {
  it('exist for the current version of every type', () => {
    expect(names).toEqual(
      expect.arrayContaining(eventTypes.map((type) => `${type}.v${currentVersion(type)}`)),
    );
    expect(names.length).toBeGreaterThanOrEqual(19);
  });

  it.each(names)('%s is decoded to what it always meant', (name) => {
    const expected = JSON.parse(readFileSync(join(directory, `${name}.json`), 'utf8'));
    expect(readable(decode(bytesOf(name), at))).toEqual({ ...expected, ...at });
  });

  it.each(eventTypes)('%s is still encoded to the same bytes', (type) => {
    const sample = samples.get(type);
    if (!sample) throw new Error(`no sample of ${type}`);
    const golden = bytesOf(`${type}.v${currentVersion(type)}`);
    expect(Buffer.from(encode(sample)).toString('hex')).toBe(Buffer.from(golden).toString('hex'));
  });
});
