/**
 * @supabase/storage-js, unmodified, pointed at the server: what an application written for Supabase
 * Storage does, and the shapes that it reads.
 */
import { Blob as NodeBlob, File as NodeFile } from 'node:buffer';
import { Readable } from 'node:stream';
import { StorageClient } from '@supabase/storage-js';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { base } from '../support/client.ts';
import { type Server, startServer } from '../support/server.ts';
import { fresh } from '../support/store.ts';
import { user } from '../support/tokens.ts';

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server?.kill());

function client(sub?: string): StorageClient {
  const headers = sub === undefined ? {} : { Authorization: `Bearer ${user(sub)}` };
  return new StorageClient(server.url + base, { ...headers, apikey: 'anything' });
}

interface Answered<T> {
  readonly data: T;
  readonly error: unknown;
}

function done<T>({ data, error }: Answered<T>): NonNullable<T> {
  expect(error).toBeNull();
  if (data === null || data === undefined) throw new Error('no data');
  return data;
}

async function refused(answer: Promise<Answered<unknown>>): Promise<unknown> {
  const { data, error } = await answer;
  expect(data).toBeNull();
  return error;
}

const text = 'Grüße an alle';

describe('buckets', () => {
  const alice = () => client('alice');

  test('are made, read, listed, changed, emptied and deleted', async () => {
    const id = fresh('bucket');
    const options = { public: false, fileSizeLimit: '20mb', allowedMimeTypes: ['text/*'] };
    expect(done(await alice().createBucket(id, options))).toMatchObject({ name: id });
    expect(done(await alice().getBucket(id))).toMatchObject({
      id,
      name: id,
      public: false,
      owner: 'alice',
      file_size_limit: 20_000_000,
      allowed_mime_types: ['text/*'],
      type: 'STANDARD',
    });
    const listed = done(await alice().listBuckets());
    expect(listed.map((bucket) => bucket.id)).toContain(id);
    const found = done(await alice().listBuckets({ search: id, limit: 1, sortColumn: 'name' }));
    expect(found.map((bucket) => bucket.id)).toEqual([id]);
    const updated = await alice().updateBucket(id, {
      public: true,
      fileSizeLimit: null,
      allowedMimeTypes: null,
    });
    expect(done(updated)).toMatchObject({ message: 'Successfully updated' });
    expect(done(await alice().getBucket(id))).toMatchObject({
      public: true,
      file_size_limit: null,
    });
    done(await alice().from(id).upload('a.txt', text));
    expect(await refused(alice().deleteBucket(id))).toMatchObject({ statusCode: '409' });
    done(await alice().emptyBucket(id));
    expect(done(await alice().deleteBucket(id))).toEqual({ message: 'Successfully deleted' });
    expect(await refused(alice().getBucket(id))).toMatchObject({ status: 404, statusCode: '404' });
  });

  test('exist once', async () => {
    const id = fresh('bucket');
    done(await alice().createBucket(id));
    expect(await refused(alice().createBucket(id))).toMatchObject({
      message: 'The resource already exists',
      statusCode: '409',
    });
  });
});

describe('files', () => {
  let bucket: string;
  const files = (sub = 'alice') => client(sub).from(bucket);
  beforeEach(async () => {
    bucket = fresh('bucket');
    done(await client('alice').createBucket(bucket, { public: true }));
  });

  async function contentOf(path: string): Promise<string> {
    return done(await files().download(path)).text();
  }

  const bodies: Record<string, () => Parameters<ReturnType<typeof files>['upload']>[1]> = {
    'a text': () => text,
    'a Buffer': () => Buffer.from(text),
    'an ArrayBuffer': () => Uint8Array.from(Buffer.from(text)).buffer,
    'a Uint8Array': () => Uint8Array.from(Buffer.from(text)),
    'a Blob': () => new NodeBlob([text], { type: 'text/plain' }) as Blob,
    'a File': () => new NodeFile([text], 'name.txt', { type: 'text/plain' }) as unknown as File,
    'a web stream': () => new Response(text).body as ReadableStream<Uint8Array>,
    'a Node stream': () => Readable.from([Buffer.from(text)]),
    'a form': () => {
      const form = new FormData();
      form.append('', new NodeBlob([text], { type: 'text/plain' }) as Blob);
      return form;
    },
  };

  test.each(Object.entries(bodies))('are uploaded from %s', async (_name, body) => {
    const path = 'deep/er/Ünïcode name.txt';
    const options = { contentType: 'text/plain', duplex: 'half' };
    const uploaded = done(await files().upload(path, body(), options));
    expect(uploaded).toMatchObject({ path, fullPath: `${bucket}/${path}` });
    expect(uploaded.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await contentOf(path)).toBe(text);
  });

  test('keep cache control and metadata, of bodies and of forms', async () => {
    const options = { cacheControl: '60', metadata: { project: 'ü' }, contentType: 'text/plain' };
    done(await files().upload('raw', Buffer.from(text), options));
    done(await files().upload('form', new NodeBlob([text]) as Blob, options));
    for (const path of ['raw', 'form']) {
      const info = done(await files().info(path));
      expect(info).toMatchObject({
        name: path,
        bucketId: bucket,
        size: Buffer.byteLength(text),
        cacheControl: 'max-age=60',
        metadata: { project: 'ü' },
      });
      expect(info.lastModified).toMatch(/Z$/);
    }
  });

  test('are not overwritten unless told; update overwrites', async () => {
    done(await files().upload('a', 'one'));
    expect(await refused(files().upload('a', 'two'))).toMatchObject({ statusCode: '409' });
    expect(await contentOf('a')).toBe('one');
    done(await files().upload('a', 'two', { upsert: true }));
    expect(await contentOf('a')).toBe('two');
    done(await files().update('a', 'three'));
    expect(await contentOf('a')).toBe('three');
  });

  test('are downloaded as a blob and as a stream', async () => {
    done(await files().upload('a', text, { contentType: 'text/plain' }));
    const blob = done(await files().download('a'));
    expect([blob.type, await blob.text()]).toEqual(['text/plain', text]);
    const stream = done(await files().download('a').asStream());
    expect(await new Response(stream).text()).toBe(text);
    expect(await refused(files().download('none'))).toBeTruthy();
  });

  test('have a public URL', async () => {
    done(await files().upload('dir/a b.txt', text, { contentType: 'text/plain' }));
    const { publicUrl } = files().getPublicUrl('dir/a b.txt').data;
    const answer = await fetch(publicUrl);
    expect([answer.status, await answer.text()]).toEqual([200, text]);
    const named = files().getPublicUrl('dir/a b.txt', { download: 'other.txt' }).data.publicUrl;
    const download = await fetch(named);
    expect(download.headers.get('content-disposition')).toContain('other.txt');
  });

  test('exist or do not', async () => {
    done(await files().upload('a', text));
    expect(await files().exists('a')).toMatchObject({ data: true, error: null });
    expect((await files().exists('b')).data).toBe(false);
  });

  test('are copied and moved, also to other buckets', async () => {
    const other = fresh('bucket');
    done(await client('alice').createBucket(other));
    done(await files().upload('a', text, { metadata: { k: 1 } }));
    expect(done(await files().copy('a', 'b'))).toMatchObject({ path: `${bucket}/b` });
    expect(await contentOf('b')).toBe(text);
    expect(done(await files().info('b')).metadata).toEqual({ k: 1 });
    expect(await refused(files().copy('a', 'b'))).toMatchObject({ statusCode: '409' });
    done(await files().copy('a', 'c', { destinationBucket: other }));
    expect(done(await files().move('a', 'd'))).toMatchObject({ message: 'Successfully moved' });
    expect((await files().exists('a')).data).toBe(false);
    done(await files().move('d', 'e/f', { destinationBucket: other }));
    const moved = done(await client('alice').from(other).list());
    expect(moved.map(({ name }) => name)).toEqual(['c', 'e']);
    expect(await refused(files().move('none', 'x'))).toMatchObject({
      message: 'Object not found',
      statusCode: '404',
    });
  });

  test('are removed, many at once', async () => {
    for (const path of ['a', 'dir/b', 'c']) done(await files().upload(path, text));
    const gone = done(await files().remove(['a', 'dir/b', 'none']));
    expect(gone.map(({ name }) => name)).toEqual(['a', 'dir/b']);
    expect(done(await files().list()).map(({ name }) => name)).toEqual(['c']);
    // Others see the bucket, which is public, and delete nothing in it.
    expect(done(await files('bob').remove(['c']))).toEqual([]);
    expect((await files().exists('c')).data).toBe(true);
  });

  describe('in lists', () => {
    beforeEach(async () => {
      for (const path of ['b.txt', 'Apple', 'avocado', 'dir/x', 'dir/sub/y', 'zoo/1']) {
        done(await files().upload(path, text, { contentType: 'text/plain' }));
      }
    });
    const names = (rows: readonly { readonly name: string }[]) => rows.map(({ name }) => name);

    test('stand with what is known of them, folders with their name alone', async () => {
      const rows = done(await files().list());
      expect(names(rows)).toEqual(['Apple', 'avocado', 'b.txt', 'dir', 'zoo']);
      const file = rows.find(({ name }) => name === 'b.txt');
      const size = Buffer.byteLength(text);
      expect(file).toEqual({
        name: 'b.txt',
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        bucket_id: bucket,
        owner: 'alice',
        created_at: expect.stringMatching(/Z$/),
        updated_at: expect.stringMatching(/Z$/),
        last_accessed_at: expect.stringMatching(/Z$/),
        metadata: {
          eTag: expect.stringMatching(/^"[0-9a-f]{64}"$/),
          size,
          mimetype: 'text/plain',
          cacheControl: 'max-age=3600',
          lastModified: expect.stringMatching(/Z$/),
          contentLength: size,
          httpStatusCode: 200,
        },
      });
      expect(rows.find(({ name }) => name === 'dir')).toEqual({
        name: 'dir',
        id: null,
        bucket_id: null,
        owner: null,
        created_at: null,
        updated_at: null,
        last_accessed_at: null,
        metadata: null,
      });
    });

    test('are of one folder, page by page, searched and sorted', async () => {
      const list = async (...asked: Parameters<ReturnType<typeof files>['list']>) =>
        names(done(await files().list(...asked)));
      expect(await list('dir')).toEqual(['sub', 'x']);
      expect(await list('dir/')).toEqual(['sub', 'x']);
      expect(await list('none')).toEqual([]);
      expect(await list('', { limit: 2, offset: 1 })).toEqual(['avocado', 'b.txt']);
      expect(await list('', { search: 'A' })).toEqual(['Apple', 'avocado']);
      expect(await list('', { search: 'DI' })).toEqual(['dir']);
      expect(await list('', { sortBy: { column: 'name', order: 'desc' } })).toEqual([
        'zoo',
        'dir',
        'b.txt',
        'avocado',
        'Apple',
      ]);
      for (const column of ['created_at', 'updated_at', 'last_accessed_at']) {
        expect(await list('', { sortBy: { column, order: 'desc' } })).toEqual([
          'zoo',
          'dir',
          'avocado',
          'Apple',
          'b.txt',
        ]);
      }
    });

    test('go on by a cursor, with folders or without', async () => {
      const flat = done(await files().listV2());
      expect(flat).toMatchObject({ hasNext: false, folders: [] });
      expect(flat.nextCursor).toBeUndefined();
      expect(names(flat.objects)).toEqual([
        'Apple',
        'avocado',
        'b.txt',
        'dir/sub/y',
        'dir/x',
        'zoo/1',
      ]);
      const tree = done(await files().listV2({ with_delimiter: true, prefix: 'dir/' }));
      expect(tree.folders).toEqual([{ key: 'dir/sub', name: 'dir/sub/' }]);
      expect(names(tree.objects)).toEqual(['dir/x']);
    });

    test.each([
      ['name', 'asc'],
      ['name', 'desc'],
      ['created_at', 'asc'],
      ['updated_at', 'desc'],
    ] as const)('sorted by %s %s show each entry once', async (column, order) => {
      const sortBy = { column, order };
      const whole = done(await files().listV2({ sortBy, with_delimiter: true }));
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const more = cursor === undefined ? {} : { cursor };
        const page = await files().listV2({ sortBy, with_delimiter: true, limit: 2, ...more });
        const { folders, objects, nextCursor, hasNext } = done(page);
        expect(folders.length + objects.length).toBeLessThanOrEqual(2);
        expect(hasNext).toBe(nextCursor !== undefined);
        found.push(...names(folders), ...names(objects));
        cursor = nextCursor;
      } while (cursor !== undefined);
      expect(found.toSorted()).toEqual(
        [...names(whole.folders), ...names(whole.objects)].toSorted(),
      );
      expect(found).toHaveLength(5);
    });
  });
});
