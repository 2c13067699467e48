import { expect, test } from 'vitest';
import { takeSmall } from '../../src/blobs/small-body.ts';
import { expectBytes, patterned, reusingItsChunk } from '../support/bodies.ts';

test('a body that comes byte by byte is kept in a few pieces', async () => {
  const bytes = patterned(5_000, 1);
  const taken = await takeSmall(reusingItsChunk(bytes, 1), { maxBytes: 5_000 }, 5_000);
  if (taken.kind !== 'whole') throw new Error('it is no longer than it may be');
  expect(taken.parts.length).toBeLessThan(100);
  expectBytes(Buffer.concat(taken.parts), bytes);
});
