import { describe, expect, it } from 'vitest';
import type { ViewsStore } from '../../src/views/store.ts';
import {
  createBucket,
  dataDirectory,
  get,
  key,
  makeRig,
  nobody,
  openRig,
  pathsIn,
  put,
  service,
  user,
} from '../support/rig.ts';
import { tappedFiles } from '../support/tapped-files.ts';

const alice = user('alice');
const bob = user('bob');
const hello = Buffer.from('hello');

const stagingOf = (rig: Awaited<ReturnType<typeof openRig>>) =>
  rig.disk.paths().filter((path) => path.startsWith(`${dataDirectory}/staging/`));

describe('a store', () => {
  it('keeps what was acknowledged over a clean stop, and replays nothing', async () => {
    const rig = await openRig();
    await createBucket(rig, alice, 'photos');
    await put(rig, alice, { bucket: 'photos', path: 'a', bytes: hello });
    const digest = await rig.store.views.digest();
    await rig.close();
    await rig.open();
    expect(rig.store.report).toMatchObject({ views: 'clean', replayed_records: 0 });
    expect(await get(rig, alice, { bucket: 'photos', path: 'a' })).toEqual(hello);
    expect(await rig.store.views.digest()).toBe(digest);
  });

  it('keeps what was acknowledged over kill -9, without any fence', async () => {
    const rig = await openRig();
    await createBucket(rig, alice, 'photos');
    for (const path of ['a', 'b/c', 'b/d']) {
      await put(rig, alice, { bucket: 'photos', path, bytes: Buffer.from(path) });
    }
    await rig.kill();
    await rig.open();
    expect(rig.store.report.views).toBe('rebuilt');
    expect(await pathsIn(rig, alice, 'photos')).toEqual(['a', 'b/c', 'b/d']);
    expect(await get(rig, alice, { bucket: 'photos', path: 'b/c' })).toEqual(Buffer.from('b/c'));
  });

  it('replays from the last fence after kill -9', async () => {
    const rig = await openRig({ store: { fenceEvery: { records: 3, bytes: 1e9 } } });
    await createBucket(rig, alice, 'photos');
    for (let index = 0; index < 10; index += 1) {
      await put(rig, alice, { bucket: 'photos', path: `p${index}`, bytes: hello });
    }
    const digest = await rig.store.views.digest();
    await rig.kill();
    await rig.open();
    expect(rig.store.report.views).toBe('fence');
    expect(rig.store.report.replayed_from).toBeGreaterThan(0);
    expect(await rig.store.views.digest()).toBe(digest);
  });

  it('builds the same views anew where they were deleted', async () => {
    const rig = await openRig();
    await createBucket(rig, alice, 'photos');
    await put(rig, alice, { bucket: 'photos', path: 'a', bytes: hello });
    await put(rig, alice, { bucket: 'photos', path: 'a', bytes: Buffer.from('again') });
    await rig.store.service.objects.remove(alice, key('photos', 'a'));
    await put(rig, alice, { bucket: 'photos', path: 'b', bytes: hello });
    const digest = await rig.store.views.digest();
    await rig.close();
    rig.views.destroy();
    await rig.open();
    expect(rig.store.report.views).toBe('rebuilt');
    expect(await rig.store.views.digest()).toBe(digest);
  });

  it('builds the views anew where they are damaged at a start', async () => {
    const rig = await openRig();
    await createBucket(rig, alice, 'photos');
    await put(rig, alice, { bucket: 'photos', path: 'a', bytes: hello });
    await rig.close();
    for (const row of rig.views.rows.values()) row[0] = (row[0] ?? 0) ^ 1;
    await rig.open();
    expect(rig.store.report.views).toBe('rebuilt');
    expect(await get(rig, alice, { bucket: 'photos', path: 'a' })).toEqual(hello);
  });

  it.each(Array.from({ length: 10 }, (_, index) => index))(
    'keeps what was acknowledged over a power cut (seed %i)',
    async (seed) => {
      const rig = await openRig({ store: { fenceEvery: { records: 4, bytes: 1e9 } } });
      await createBucket(rig, alice, 'photos');
      for (let index = 0; index < 10; index += 1) {
        await put(rig, alice, {
          bucket: 'photos',
          path: `p${index}`,
          bytes: Buffer.from(`${index}`),
        });
      }
      await rig.cutPower(seed);
      await rig.open();
      for (let index = 0; index < 10; index += 1) {
        const bytes = await get(rig, alice, { bucket: 'photos', path: `p${index}` });
        expect(bytes).toEqual(Buffer.from(`${index}`));
      }
      expect(stagingOf(rig)).toEqual([]);
    },
  );

  it.each([
    { what: 'a file', packUpToBytes: 0, files: 1 },
    { what: 'a pack', packUpToBytes: 100, files: 0 },
  ])('removes staged bytes in $what that no record refers to', async ({ packUpToBytes, files }) => {
    const rig = await openRig({ packUpToBytes });
    await createBucket(rig, alice, 'photos');
    const { objects } = rig.store.service;
    const admission = await objects.admit(alice, {
      ...key('photos', 'a'),
      contentType: 'text/plain',
      sizeBytes: 5,
      conditions: { overwrite: true },
    });
    if (!admission.ok) throw new Error('refused');
    const staged = new Promise<void>((resolve) => {
      void objects.store(alice, admission.value, {
        bytes: (async function* () {
          yield hello;
        })(),
        // Never answers: the process is killed between staging and commit.
        details: () => {
          resolve();
          return new Promise(() => {});
        },
      });
    });
    await staged;
    expect(stagingOf(rig)).toHaveLength(files);
    await rig.kill();
    await rig.open();
    expect(stagingOf(rig)).toEqual([]);
    expect(rig.store.report.removed_staging).toBe(1);
    expect(await pathsIn(rig, alice, 'photos')).toEqual([]);
  });

  it('says which objects have lost their bytes, and serves the others', async () => {
    const rig = await openRig({ packUpToBytes: 0 });
    await createBucket(rig, alice, 'photos');
    await put(rig, alice, { bucket: 'photos', path: 'lost', bytes: hello });
    await put(rig, alice, { bucket: 'photos', path: 'kept', bytes: hello });
    const lost = await rig.store.service.objects.read(alice, key('photos', 'lost'));
    if (!lost.ok) throw new Error('refused');
    const blobId = lost.value.object.blob_id;
    await rig.close();
    const file = rig.disk.paths().find((path) => path.endsWith(`/${blobId}`));
    rig.disk.poke(file ?? '', undefined);
    await rig.open();
    await rig.store.settled();
    expect(rig.store.service.health()).toEqual({
      status: 'degraded',
      reasons: ['objects without their bytes'],
    });
    expect(rig.alarms.some((alarm) => alarm.includes(blobId))).toBe(true);
    expect(rig.store.report.missing_blobs).toBe(1);
    await expect(get(rig, alice, { bucket: 'photos', path: 'lost' })).rejects.toThrow();
    expect(await get(rig, alice, { bucket: 'photos', path: 'kept' })).toEqual(hello);
  });

  it('drains the rows of an emptied and of a deleted bucket, also after a crash', async () => {
    const rig = await openRig();
    for (const name of ['one', 'two']) {
      await createBucket(rig, alice, name);
      for (let index = 0; index < 5; index += 1) {
        await put(rig, alice, { bucket: name, path: `p${index}`, bytes: hello });
      }
    }
    const emptied = await rig.store.service.buckets.empty(alice, key('one', 'x').bucket);
    expect(emptied.ok && emptied.value.deleted).toBe(5);
    await rig.store.service.buckets.remove(alice, key('two', 'x').bucket, { force: true });
    expect(await pathsIn(rig, alice, 'one')).toEqual([]);
    await rig.kill();
    await rig.open();
    await rig.store.settled();
    const status = await rig.store.service.admin.status(service);
    expect(status.ok && status.value).toMatchObject({ drains: 0, totals: { count: 0, bytes: 0 } });
    expect(await rig.store.views.rowsOf(2 as never, 10)).toEqual([]);
    await rig.close();
  });

  it('never resurrects the objects of a bucket that was deleted and created again', async () => {
    const rig = await openRig();
    await createBucket(rig, alice, 'photos');
    await put(rig, alice, { bucket: 'photos', path: 'a', bytes: hello });
    await rig.store.service.buckets.remove(alice, key('photos', 'x').bucket, { force: true });
    await createBucket(rig, bob, 'photos');
    expect(await pathsIn(rig, bob, 'photos')).toEqual([]);
    expect(await get(rig, alice, { bucket: 'photos', path: 'a' })).toBe('NoSuchBucket');
  });

  it('refuses an upload whose bucket became another one while its bytes streamed', async () => {
    const rig = await openRig();
    await createBucket(rig, alice, 'photos', { write_policy: 'authenticated' });
    const { objects, buckets } = rig.store.service;
    const admission = await objects.admit(bob, {
      ...key('photos', 'a'),
      contentType: 'text/plain',
      sizeBytes: undefined,
      conditions: { overwrite: true },
    });
    if (!admission.ok) throw new Error('refused');
    const head = () => rig.store.views.applied;
    let before = 0;
    const outcome = await objects.store(bob, admission.value, {
      bytes: (async function* () {
        yield hello;
        await buckets.remove(alice, key('photos', 'x').bucket, { force: true });
        await createBucket(rig, alice, 'photos', { write_policy: 'authenticated' });
        before = head();
        yield hello;
      })(),
      details: async () => ({ ok: true, value: { cacheControl: null, metadata: null } }),
    });
    expect(outcome.ok ? 'stored' : outcome.rejection.code).toBe('NoSuchBucket');
    expect(stagingOf(rig)).toEqual([]);
    expect(head()).toBe(before);
  });

  it.each([
    ['the list became narrower', 'text/html', undefined],
    ['the form named another type at its end', 'text/plain', 'image/png'],
  ])('looks at the bytes again when %s meanwhile', async (_name, first, late) => {
    const rig = await openRig();
    const allowed_mime_types = late ? ['text/plain', 'image/png'] : null;
    await createBucket(rig, alice, 'photos', { allowed_mime_types });
    const { objects, buckets } = rig.store.service;
    const admission = await objects.admit(alice, {
      ...key('photos', 'a'),
      contentType: late ? first : 'image/png',
      sizeBytes: undefined,
      conditions: { overwrite: true },
    });
    if (!admission.ok) throw new Error('refused');
    const outcome = await objects.store(alice, admission.value, {
      bytes: (async function* () {
        yield Buffer.from('<!doctype html><script>alert(1)</script>');
        if (late) return;
        const changes = { allowed_mime_types: ['image/png'] };
        await buckets.update(alice, key('photos', 'x').bucket, changes);
      })(),
      details: async () => ({
        ok: true,
        value: { cacheControl: null, metadata: null, ...(late ? { contentType: late } : {}) },
      }),
    });
    expect(outcome.ok ? 'stored' : outcome.rejection.code).toBe('InvalidMimeType');
    expect(stagingOf(rig)).toEqual([]);
  });

  it('leaves an overwritten object readable to whoever has begun to read it', async () => {
    const rig = await openRig();
    await createBucket(rig, alice, 'photos');
    const first = Buffer.alloc(3_000_000, 1);
    await put(rig, alice, { bucket: 'photos', path: 'a', bytes: first });
    const found = await rig.store.service.objects.read(alice, key('photos', 'a'));
    if (!found.ok) throw new Error('refused');
    const blob = await found.value.open();
    await put(rig, alice, { bucket: 'photos', path: 'a', bytes: Buffer.from('second') });
    const chunks: Uint8Array[] = [];
    for await (const chunk of blob.bytes()) chunks.push(Uint8Array.from(chunk));
    await blob.close();
    expect(Buffer.concat(chunks).equals(first)).toBe(true);
    expect(await get(rig, alice, { bucket: 'photos', path: 'a' })).toEqual(Buffer.from('second'));
  });

  it('lets exactly one of many creates with If-None-Match win', async () => {
    const rig = await openRig();
    await createBucket(rig, alice, 'photos');
    const { objects } = rig.store.service;
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const admission = await objects.admit(alice, {
          ...key('photos', 'a'),
          contentType: 'text/plain',
          sizeBytes: 2,
          conditions: { overwrite: true, ifNoneMatch: '*' },
        });
        if (!admission.ok) return admission.rejection.code;
        const stored = await objects.store(alice, admission.value, {
          bytes: (async function* () {
            yield Buffer.from(String(index).padStart(2, '0'));
          })(),
          details: async () => ({ ok: true, value: { cacheControl: null, metadata: null } }),
        });
        return stored.ok ? 'stored' : stored.rejection.code;
      }),
    );
    expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(1);
    expect(new Set(outcomes)).toEqual(new Set(['stored', 'PreconditionFailed']));
    expect(stagingOf(rig)).toEqual([]);
  });

  it('ends as unknown, and for good, when the log can not be synced', async () => {
    const rig = await openRig();
    await createBucket(rig, alice, 'photos');
    rig.disk.inject = ({ operation, path }) =>
      operation === 'dataSync' && path.includes('/wal/') ? { kind: 'lost sync' } : undefined;
    const outcome = await put(rig, alice, { bucket: 'photos', path: 'a', bytes: hello });
    expect(outcome.ok ? 'stored' : outcome.rejection.code).toBe('OutcomeUnknown');
    await expect(rig.store.failed).resolves.toBeDefined();
    const next = await put(rig, alice, { bucket: 'photos', path: 'b', bytes: hello });
    expect(next.ok).toBe(false);
    await rig.cutPower(7);
    await rig.open();
    expect(['NoSuchKey', 'hello']).toContain(
      String(await get(rig, alice, { bucket: 'photos', path: 'a' })),
    );
  });

  it('that can not be opened leaves no file and no views open', async () => {
    const rig = makeRig();
    const stores: ViewsStore[] = [];
    const { openStore } = rig.views;
    rig.views.openStore = async (how) => {
      const store = await openStore(how);
      stores.push(store);
      return store;
    };
    const files = tappedFiles(rig.disk.files);
    rig.disk = { ...rig.disk, files };
    files.tap = ({ operation, path }) => {
      const isBlobs = stores.length > 0 && path.endsWith('/staging');
      if (isBlobs && operation === 'makeDirectory') throw new Error('no folder');
    };
    await expect(rig.open()).rejects.toThrow('no folder');
    expect(stores).toHaveLength(1);
    for (const store of stores) expect(() => store.get(Buffer.from('x'))).toThrow(/not open/);
    expect(files.openCount).toBe(0);
  });

  it('lets go of its views where the log can not be sealed', async () => {
    const rig = await openRig();
    await createBucket(rig, alice, 'photos');
    rig.disk.inject = ({ operation, path }) =>
      operation === 'dataSync' && path.includes('/wal/') ? { kind: 'lost sync' } : undefined;
    await expect(rig.store.close()).rejects.toThrow();
    await expect(rig.store.views.digest()).rejects.toThrow(/not open/);
  });

  it('shows to nobody what the policy closes', async () => {
    const rig = await openRig();
    await createBucket(rig, alice, 'photos');
    await put(rig, alice, { bucket: 'photos', path: 'a', bytes: hello });
    expect(await get(rig, bob, { bucket: 'photos', path: 'a' })).toBe('NoSuchBucket');
    expect(await get(rig, nobody, { bucket: 'photos', path: 'a' })).toBe('NoSuchBucket');
    expect(await pathsIn(rig, bob, 'photos')).toEqual(['NoSuchBucket']);
    expect(await get(rig, service, { bucket: 'photos', path: 'a' })).toEqual(hello);
  });
});
