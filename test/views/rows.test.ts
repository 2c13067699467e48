import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyspaceId, Position } from '../../src/domain/names.ts';
import { objectKey } from '../../src/views/keys.ts';
import { openRow, packValue, sealRow } from '../../src/views/store/rows.ts';
import { ViewsDamaged } from '../../src/views/views.ts';
import { framesOf, RandomLog } from '../support/random-log.ts';
import { memoryViews } from '../support/views.ts';

const value = fc
  .jsonValue()
  .map((json) => JSON.parse(JSON.stringify(json).replaceAll('__proto__', 'x')));

describe('rows', () => {
  it('come back as they were put', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), value, (bytes, row) => {
        const key = Buffer.from(bytes);
        expect(openRow(key, sealRow(key, packValue(row)))).toEqual(JSON.parse(JSON.stringify(row)));
      }),
    );
  });

  it('are refused with any one bit flipped, in key or value, or any byte missing', () => {
    const key = objectKey(7 as KeyspaceId, 'a/b');
    const row = sealRow(key, packValue({ path: 'a/b', size: 3, owner_id: null }));
    for (const part of [key, row]) {
      for (let bit = 0; bit < part.length * 8; bit += 1) {
        const at = Math.floor(bit / 8);
        const flip = () => part.writeUInt8(part.readUInt8(at) ^ (1 << (bit % 8)), at);
        flip();
        expect(() => openRow(key, row)).toThrow(ViewsDamaged);
        flip();
      }
    }
    for (let end = 0; end < row.length; end += 1) {
      expect(() => openRow(key, row.subarray(0, end))).toThrow(ViewsDamaged);
    }
    expect(openRow(key, row)).toMatchObject({ size: 3 });
  });

  it('do not pass for the row of another key', () => {
    const row = sealRow(Buffer.from('b1'), packValue('one'));
    expect(() => openRow(Buffer.from('b2'), row)).toThrow(ViewsDamaged);
  });
});

describe('views with a flipped bit', () => {
  const steps = Array.from({ length: 60 }, (_, n) => [(n * 7) % 100, n, n * 3, n * 5] as const);
  const log = new RandomLog([[0, 0, 0, 0], ...steps]);

  it('are found damaged by a digest, wherever it is', async () => {
    const { applier, database, views } = await memoryViews();
    await applier.replay(framesOf(log.records));
    const entries = await database.iterator({ gte: Buffer.from([1]) }).all();
    expect(entries.length).toBeGreaterThan(50);
    for (const [index, [key, row]] of entries.entries()) {
      const flipped = Buffer.from(row);
      const at = index % row.length;
      flipped.writeUInt8(flipped.readUInt8(at) ^ (1 << (index % 8)), at);
      await database.put(key, flipped);
      await expect(views.digest()).rejects.toThrow(ViewsDamaged);
      await database.put(key, row);
    }
    expect(await views.digest()).toMatch(/^[0-9a-f]{64}$/);
  });

  it('are found damaged by the read of the row', async () => {
    const { applier, database, views } = await memoryViews();
    await applier.replay(framesOf(log.records));
    const bucket = [...log.buckets.values()].find(({ keyspace }) => log.totals(keyspace).count > 0);
    if (!bucket) throw new Error('the log has no bucket with objects');
    for (const kind of ['b', 'o', 't']) {
      for (const [key, row] of await database
        .iterator({ gte: Buffer.from(kind), lt: Buffer.from(`${kind}\xff`, 'latin1') })
        .all()) {
        row[row.length - 1] = (row[row.length - 1] ?? 0) ^ 1;
        await database.put(key, row);
      }
    }
    const { name, keyspace } = bucket;
    const [path] = log.rows.get(keyspace)?.keys() ?? [];
    if (!path) throw new Error('the bucket has no object');
    expect(() => views.bucket(name)).toThrow(ViewsDamaged);
    expect(() => views.object(keyspace, path)).toThrow(ViewsDamaged);
    expect(() => views.totals(keyspace)).toThrow(ViewsDamaged);
    await expect(views.buckets()).rejects.toThrow(ViewsDamaged);
    await expect(views.list({ keyspace, prefix: '', limit: 1 })).rejects.toThrow(ViewsDamaged);
    await expect(views.rowsOf(keyspace, 1)).rejects.toThrow(ViewsDamaged);
  });

  it('are found damaged where the owner index names a row that is gone', async () => {
    const { applier, database, views } = await memoryViews();
    await applier.replay(framesOf(log.records));
    for await (const { keyspace, row } of views.everyObject()) {
      if (row.owner_id === null) continue;
      await database.del(objectKey(keyspace, row.path));
      const query = { keyspace, prefix: row.path, limit: 1, ownerId: row.owner_id };
      await expect(views.list(query)).rejects.toThrow(ViewsDamaged);
      return;
    }
    throw new Error('nobody owns anything');
  });

  it('keep the position out of the digest', async () => {
    const { applier, store, views } = await memoryViews();
    await applier.replay(framesOf(log.records));
    const before = await views.digest();
    await store.write({ operations: [], applied: (log.head + 5) as Position });
    expect(await views.digest()).toBe(before);
  });
});
