import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeFiles } from '#files';
import { metaKey } from '../../src/views/keys.ts';
import { destroyLevel, openLevel } from '../../src/views/level.ts';
import { openViews } from '../../src/views/open-views.ts';
import { PROJECTION } from '../../src/views/projection.ts';
import { reading } from '../../src/views/store/damage.ts';
import { openViewsStore } from '../../src/views/store.ts';
import { ViewsDamaged } from '../../src/views/views.ts';
import { framesOf, RandomLog, type Step } from '../support/random-log.ts';
import { memoryDatabase, memoryViews } from '../support/views.ts';

const steps: Step[] = Array.from({ length: 400 }, (_, n) => [(n * 37) % 100, n, n * 3, n * 5]);
const { records, head } = new RandomLog([[0, 0, 0, 0], ...steps]);

describe('views on LevelDB', () => {
  let path: string;
  beforeEach(() => {
    path = join(mkdtempSync(join(tmpdir(), 'aerostore-views-')), 'views');
  });
  afterEach(() => rmSync(dirname(path), { recursive: true, force: true }));

  const open = async (id: string) => {
    const level = await openLevel({ files: nodeFiles, path });
    return openViewsStore({ ...level, newId: () => id });
  };

  it('have the digest of views in memory, now and when they are opened again', async () => {
    const memory = await memoryViews();
    await memory.applier.replay(framesOf(records, [20]));
    const store = await open('first');
    const { applier } = await memoryViews({ store });
    await applier.replay(framesOf(records, [7]));
    const digest = await openViews(store).digest();
    expect(digest).toBe(await memory.views.digest());
    await store.flush();
    await store.close();
    const again = await open('second');
    expect(again).toMatchObject({ viewsId: 'first', created: false, applied: head });
    expect(await openViews(again).digest()).toBe(digest);
    await again.close();
  });

  it('sync their folder in a flush, and are gone when they are destroyed', async () => {
    const synced: string[] = [];
    const files = {
      ...nodeFiles,
      syncDirectory: async (directory: string) => void synced.push(directory),
    };
    const { database, flush } = await openLevel({ files, path });
    await database.put(Buffer.from('b1'), Buffer.from('one'));
    await flush();
    expect(synced).toEqual([path, dirname(path)]);
    const names = (await nodeFiles.list(path)).map(({ name }) => name);
    expect(names.some((name) => name.endsWith('.ldb'))).toBe(true);
    await database.close();
    await destroyLevel({ files, path });
    await destroyLevel({ files, path });
    expect(await nodeFiles.stat(path)).toBeUndefined();
    const store = await open('anew');
    expect(store).toMatchObject({ viewsId: 'anew', created: true, applied: 0 });
    await store.close();
  });
});

describe('a LevelDB with a broken file', () => {
  let path: string;
  beforeEach(async () => {
    path = join(mkdtempSync(join(tmpdir(), 'aerostore-views-')), 'views');
    const store = await openViewsStore({
      ...(await openLevel({ files: nodeFiles, path })),
      newId: () => 'first',
    });
    const { applier } = await memoryViews({ store });
    await applier.replay(framesOf(records, [50]));
    await store.flush();
    await store.close();
  });
  afterEach(() => rmSync(dirname(path), { recursive: true, force: true }));

  const breaks = {
    flipped: (file: string) => {
      const bytes = readFileSync(file);
      const at = bytes.length >> 1;
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
      writeFileSync(file, bytes);
    },
    'cut in half': (file: string) => truncateSync(file, readFileSync(file).length >> 1),
    missing: (file: string) => rmSync(file),
  };

  it.each(
    ['.ldb', 'MANIFEST'].flatMap((kind) =>
      (['flipped', 'cut in half', 'missing'] as const).map((how) => [kind, how] as const),
    ),
  )('is damaged views where a %s file is %s', async (kind, how) => {
    const name = readdirSync(path).find((entry) => entry.includes(kind));
    breaks[how](join(path, name ?? kind));
    const verify = async () => {
      const level = await openLevel({ files: nodeFiles, path });
      try {
        const store = await openViewsStore({ ...level, newId: () => 'second' });
        await openViews(store).digest();
      } finally {
        await level.database.close();
      }
    };
    await expect(verify()).rejects.toThrow(ViewsDamaged);
  });

  it.each([
    'IO error: lock /data/views/LOCK: already held by process',
    'IO error: /data/views/000005.ldb: Too many open files',
    'IO error: /data/views/000005.ldb: No space left on device',
  ])('is no damage where LevelDB says "%s"', (message) => {
    const cause = new Error('Database failed to open', { cause: new Error(message) });
    const read = () => {
      throw cause;
    };
    expect(() => reading(read)).toThrow(cause);
  });
});

describe('a store', () => {
  const options = { flush: async () => {}, newId: () => 'made' };

  it('tells of another projection, and refuses rows about itself that are damaged', async () => {
    const database = memoryDatabase();
    const store = await openViewsStore({ ...options, database });
    expect(store).toMatchObject({ viewsId: 'made', projection: PROJECTION, created: true });
    const key = metaKey('id');
    const row = await database.get(key);
    if (!row) throw new Error('the views have no id');
    await database.del(metaKey('projection'));
    expect(await openViewsStore({ ...options, database })).toMatchObject({ projection: 0 });
    row[5] = (row[5] ?? 0) ^ 4;
    await database.put(key, row);
    await expect(openViewsStore({ ...options, database })).rejects.toThrow(ViewsDamaged);
  });

  it('writes all of a batch, position included, or nothing', async () => {
    const { store, database } = await memoryViews();
    const operations = [{ key: Buffer.from('b1'), value: 1 }];
    await store.write({ operations, applied: head });
    await database.close();
    const more = [{ key: Buffer.from('b2'), value: 2 }];
    await expect(store.write({ operations: more, applied: head })).rejects.toThrow();
    await database.open();
    expect([store.get(Buffer.from('b1')), store.get(Buffer.from('b2'))]).toEqual([1, undefined]);
    expect(store.applied).toBe(head);
  });
});
