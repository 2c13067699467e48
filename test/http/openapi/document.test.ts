/** The API's document: every route is in it, and what routes answer is what it says. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HttpParts, routesOf } from '../../../src/http/app.ts';
import { type Document, operations } from '../../../src/http/openapi/document.ts';
import { patternOf } from '../../../src/http/route.ts';
import { type CallInit, site } from '../support/door.ts';
import { type StoreDoor, startStoreDoor } from '../support/store-door.ts';

const routes = routesOf({ service: {}, site } as HttpParts).flatMap((route) =>
  Object.keys(route.methods).map((method) => `${method} ${patternOf(route)}`),
);

let door: StoreDoor;
let document: Document;
let ajv: Ajv2020;

beforeAll(async () => {
  const send = async () => ({ kind: 'failed', error: 'timeout' }) as const;
  const rig = { followers: { send } };
  door = await startStoreDoor({ publicUrl: 'http://files.test', rig });
  const answer = await fetch(`${door.origin}/openapi.json`);
  expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
  document = (await answer.json()) as Document;
  ajv = new Ajv2020({ strict: false });
  ajv.addSchema({ ...document, $id: 'document' });
});

afterAll(() => door.close());

describe('the document', () => {
  test('has every route, and nothing that is no route', () => {
    expect(routes.length).toBeGreaterThan(40);
    expect(Object.keys(operations).sort()).toEqual([...routes].sort());
    const documented = Object.values(document.paths).flatMap((item) => Object.keys(item));
    expect(documented).toHaveLength(routes.length);
  });

  test('is OpenAPI 3.1 without a reference that leads nowhere, and no id stands twice', () => {
    expect(document.openapi).toBe('3.1.0');
    for (const [, name = ''] of JSON.stringify(document).matchAll(
      /"#\/components\/schemas\/(\w+)"/g,
    )) {
      expect(document.components.schemas).toHaveProperty(name);
    }
    const ids = Object.values(document.paths).flatMap((item) =>
      Object.values(item).map(({ operationId }) => operationId),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('names the parameters of each path', () => {
    for (const [path, item] of Object.entries(document.paths)) {
      const wanted = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const { parameters } of Object.values(item)) {
        const named = (parameters as { in: string; name: string }[]).filter(
          (parameter) => parameter.in === 'path',
        );
        expect(named.map(({ name }) => name)).toEqual(wanted);
      }
    }
  });

  test('knows the fields that validate: a body, a query, and what is required', () => {
    const text = JSON.stringify(document.paths['/storage/v1/object/copy']);
    expect(text).toContain('"sourceKey"');
    expect(text).toContain('"required":["bucketId","sourceKey","destinationKey"]');
    expect(text).toContain('"additionalProperties":false');
    expect(JSON.stringify(document.paths['/storage/v1/query/storage_objects'])).toContain(
      '"created_at"',
    );
  });
});

interface Probe extends CallInit {
  /** As the document has it. */
  readonly path: string;
  /** What is asked, where it differs; below /storage/v1 unless it is at the origin. */
  readonly at?: string;
  readonly expected?: number;
}

const seen = new Set<string>();

async function probe({ path, at = path, expected = 200, ...init }: Probe) {
  const method = init.method ?? 'GET';
  const isAtOrigin = !path.startsWith('/storage/v1');
  const answer = isAtOrigin
    ? await fetch(door.origin + at)
    : await door.call(at.replace('/storage/v1', ''), { method, as: 'service', ...init });
  const text = await answer.text();
  expect(answer.status, `${method} ${at}: ${text}`).toBe(expected);
  const operation = document.paths[path]?.[method.toLowerCase()];
  const responses = operation?.responses as Record<string, { content?: Record<string, object> }>;
  const described = responses?.[answer.status];
  expect(described, `${method} ${path} has no ${answer.status}`).toBeDefined();
  if (answer.status < 400) seen.add(`${method} ${path}`);
  if (!described?.content?.['application/json'] || path === '/openapi.json') return answer;
  const place = [path, method.toLowerCase(), 'responses', String(answer.status)];
  const pointer = ['paths', ...place, 'content', 'application/json', 'schema']
    .map((word) => encodeURIComponent(word.replaceAll('~', '~0').replaceAll('/', '~1')))
    .join('/');
  const isValid = ajv.validate({ $ref: `document#/${pointer}` }, JSON.parse(text));
  expect(ajv.errorsText(), `${method} ${path} ${text}`).toBe('No errors');
  expect(isValid).toBe(true);
  return answer;
}

const api = '/storage/v1';
const place = { b: '{bucket}', p: '{path}' };
const objectPath = (words: string) => `${api}/object${words}/${place.b}/${place.p}`;

describe('every route answers what the document says', () => {
  const json = (path: string, at: string, body: unknown, more: Partial<Probe> = {}): Probe => ({
    path: api + path,
    at: api + at,
    method: 'POST',
    json: body,
    ...more,
  });

  test('buckets', async () => {
    await probe(json('/bucket', '/bucket', { name: 'b', public: true, max_file_size: '20mb' }));
    await probe(json('/bucket', '/bucket', { name: 'b' }, { expected: 409 }));
    await probe(json('/bucket', '/bucket', { name: 'b', nonsense: 1 }, { expected: 400 }));
    await probe(json('/bucket', '/bucket', { name: 'other' }));
    await probe({ path: `${api}/bucket` });
    await probe({ path: `${api}/bucket`, as: null, expected: 401 });
    await probe({ path: `${api}/bucket/{bucket}`, at: `${api}/bucket/b` });
    await probe({ path: `${api}/bucket/{bucket}`, at: `${api}/bucket/gone`, expected: 404 });
    const change = { allowed_mime_types: ['text/*', 'application/*'] };
    await probe(json('/bucket/{bucket}', '/bucket/b', change, { method: 'PUT' }));
  });

  test('objects', async () => {
    const write = (method: string, name: string): Probe => ({
      path: objectPath(''),
      at: `${api}/object/b/${name}`,
      method,
      body: 'hello',
      headers: { 'content-type': 'text/plain', 'x-metadata': btoa('{"a":1,"b":{"c":[]}}') },
    });
    await probe(write('POST', 'a/one.txt'));
    await probe(write('PUT', 'a/two.txt'));
    await probe({
      ...write('PUT', 'x.png'),
      headers: { 'content-type': 'image/png' },
      expected: 415,
    });
    for (const words of ['', '/authenticated', '/public']) {
      await probe({ path: objectPath(words), at: `${api}/object${words}/b/a/one.txt` });
      const info = `/info${words}`;
      await probe({ path: objectPath(info), at: `${api}/object${info}/b/a/one.txt` });
    }
    const one = { path: objectPath(''), at: `${api}/object/b/a/one.txt` };
    await probe({ ...one, headers: { range: 'bytes=1-2' }, expected: 206 });
    await probe({ ...one, headers: { range: 'bytes=99-' }, expected: 416 });
    await probe({ ...one, headers: { 'if-match': '"x"' }, expected: 412 });
    await probe({ ...one, method: 'PATCH', json: { metadata: { d: null } } });
    await probe({ path: `${api}/object/list/{bucket}`, at: `${api}/object/list/b?delimiter=/` });
    for (const list of ['list', 'list-v2']) {
      await probe(json(`/object/${list}/{bucket}`, `/object/${list}/b`, {}));
      await probe(json(`/object/${list}/{bucket}`, `/object/${list}/b`, { prefix: 'a/' }));
    }
    const deep = { prefix: '', with_delimiter: true, limit: 1 };
    await probe(json('/object/list-v2/{bucket}', '/object/list-v2/b', deep));
    const from = { bucketId: 'b', sourceKey: 'a/one.txt' };
    await probe(json('/object/copy', '/object/copy', { ...from, destinationKey: 'c' }));
    await probe(
      json('/object/copy', '/object/copy', { ...from, destinationKey: 'c' }, { expected: 409 }),
    );
    await probe(
      json('/object/move', '/object/move', { bucketId: 'b', sourceKey: 'c', destinationKey: 'd' }),
    );
  });

  test('queries', async () => {
    const objects = `${api}/query/storage_objects`;
    await probe({ path: objects });
    await probe({
      path: objects,
      at: `${objects}?explain=true&select=path,size&limit=1&size=gt.0`,
    });
    await probe({ path: objects, at: `${objects}?explain=true`, as: 'ann', expected: 403 });
    await probe({ path: objects, at: `${objects}?nonsense=eq.1`, expected: 400 });
    await probe({ path: `${api}/query/storage_buckets` });
    await probe({ path: `${api}/query/storage_buckets`, as: null, expected: 401 });
  });

  test('signed URLs', async () => {
    const sign = `/object/sign`;
    const signed = await probe(
      json(`${sign}/{bucket}/{path}`, `${sign}/b/a/one.txt`, { expiresIn: 60 }),
    );
    expect(signed.status).toBe(200);
    const again = await door.call(`${sign}/b/a/one.txt`, {
      method: 'POST',
      as: 'service',
      json: { expiresIn: 60 },
    });
    const { token } = (await again.json()) as { token: string };
    await probe({
      path: objectPath('/sign'),
      at: `${api}/object/sign/b/a/one.txt?token=${token}`,
      as: null,
    });
    await probe({
      path: objectPath('/sign'),
      at: `${api}/object/sign/b/a/one.txt?token=x`,
      as: null,
      expected: 403,
    });
    const many = { expiresIn: 60, paths: ['a/one.txt', 'nothing'] };
    await probe(json(`${sign}/{bucket}`, `${sign}/b`, many));
    const upload = '/object/upload/sign';
    await probe(json(`${upload}/{bucket}/{path}`, `${upload}/b/up`, {}));
    const made = await door.call(`${upload}/b/up2`, { method: 'POST', as: 'service' });
    const given = (await made.json()) as { token: string };
    await probe({
      path: objectPath('/upload/sign'),
      at: `${api}${upload}/b/up2?token=${given.token}`,
      method: 'PUT',
      body: 'text',
      headers: { 'content-type': 'text/plain' },
      as: null,
    });
    await probe(json(`${sign}/revoke`, `${sign}/revoke`, { token }));
  });

  test('deletions', async () => {
    await probe({ path: objectPath(''), at: `${api}/object/b/d`, method: 'DELETE' });
    await probe({ path: objectPath(''), at: `${api}/object/b/d`, method: 'DELETE', expected: 404 });
    const many = { prefixes: ['a/one.txt', 'nothing'] };
    await probe(json('/object/{bucket}', '/object/b', many, { method: 'DELETE' }));
    await probe({
      path: `${api}/bucket/{bucket}`,
      at: `${api}/bucket/b`,
      method: 'DELETE',
      expected: 409,
    });
    await probe(json('/bucket/{bucket}/empty', '/bucket/b/empty', {}));
    await probe({ path: `${api}/bucket/{bucket}`, at: `${api}/bucket/b`, method: 'DELETE' });
  });

  test('events', async () => {
    const path = `${api}/events`;
    await probe(json('/events/token', '/events/token', { bucket: 'none' }, { expected: 404 }));
    await probe({ path: `${path}/token`, method: 'POST' });
    await probe({ path, at: `${path}?from=999999999`, expected: 410 });
    await probe({ path, at: `${path}?types=nonsense`, expected: 400 });
    const stop = new AbortController();
    const stream = await door.call('/events', { signal: stop.signal });
    stop.abort();
    const described = document.paths[path]?.get?.responses as Record<number, { content: object }>;
    const [type = ''] = (stream.headers.get('content-type') ?? '').split(';');
    expect(Object.keys(described[stream.status]?.content ?? {})).toEqual([type]);
    seen.add(`GET ${path}`);
  });

  test('consumers', async () => {
    const path = `${api}/consumers/{name}`;
    const of = (word: string) => ({ path: path + word, at: `${api}/consumers/one${word}` });
    await probe(json('/consumers/{name}', '/consumers/one', {}, { method: 'PUT' }));
    await probe({ ...of(''), method: 'PUT', json: { from: '1-1' }, expected: 200 });
    await probe(of(''));
    await probe({ ...of(''), at: `${api}/consumers/none`, expected: 404 });
    await probe({ path: `${api}/consumers` });
    const stop = new AbortController();
    const stream = await door.call('/consumers/one/events', { as: 'service', signal: stop.signal });
    stop.abort();
    expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream/);
    seen.add(`GET ${path}/events`);
    const applied = await door.call('/admin/status', { as: 'service' });
    const { epoch, positions } = (await applied.json()) as {
      epoch: number;
      positions: { applied: number };
    };
    const acked = { method: 'POST', json: { id: `${epoch}-${positions.applied}` } };
    await probe({ ...of('/ack'), ...acked });
    await probe({ ...of('/ack'), ...acked, json: { id: '5-5' }, expected: 410 });
    await probe({ ...of('/ack'), ...acked, json: { id: 'x' }, expected: 400 });
    await probe({ ...of(''), method: 'DELETE' });
  });

  test('webhooks', async () => {
    const path = `${api}/webhooks/{id}`;
    await probe(json('/webhooks', '/webhooks', { url: 'https://127.0.0.1/' }, { expected: 400 }));
    const made = await door.call('/webhooks', {
      method: 'POST',
      as: 'service',
      json: { url: 'https://8.8.8.8/' },
    });
    const { id } = (await made.json()) as { id: string };
    await probe(json('/webhooks', '/webhooks', { url: 'https://8.8.8.8/' }));
    await probe({ path: `${api}/webhooks` });
    const of = (word: string) => ({ path: path + word, at: `${api}/webhooks/${id}${word}` });
    await probe(of(''));
    for (const word of ['test', 'rotate', 'pause', 'resume', 'replay']) {
      await probe({ ...of(`/${word}`), method: 'POST' });
      const other = `${api}/webhooks/none/${word}`;
      await probe({ ...of(`/${word}`), at: other, method: 'POST', expected: 404 });
    }
    await probe({ ...of('/replay'), method: 'POST', json: { from: '5-5' }, expected: 410 });
    await probe({ ...of(''), method: 'DELETE' });
    await probe({ ...of(''), expected: 404 });
  });

  test('what operators ask', async () => {
    for (const name of ['status', 'recovery', 'digest', 'jobs']) {
      await probe({ path: `${api}/admin/${name}` });
      await probe({ path: `${api}/admin/${name}`, as: 'ann', expected: 403 });
    }
    const started = await probe(json('/admin/jobs', '/admin/jobs', { kind: 'sweep' }));
    expect(started.status).toBe(200);
    await probe(json('/admin/jobs', '/admin/jobs', { kind: 'nonsense' }, { expected: 400 }));
    const list = await door.call('/admin/jobs', { as: 'service' });
    const [job] = (await list.json()) as { id: string }[];
    const one = { path: `${api}/admin/jobs/{id}`, at: `${api}/admin/jobs/${job?.id}` };
    await probe(one);
    await probe({ ...one, method: 'DELETE' });
    await probe({ ...one, at: `${api}/admin/jobs/none`, expected: 404 });
  });

  test('the origin', async () => {
    for (const path of Object.keys(document.paths)) {
      if (!path.startsWith(api)) await probe({ path });
    }
  });

  test('and none was left out', () => {
    const all = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(all.filter((name) => !seen.has(name))).toEqual([]);
  });
});

describe('the page', () => {
  test('loads nothing from another host and runs no script of its own text', async () => {
    const answer = await fetch(`${door.origin}/docs`);
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const html = await answer.text();
    expect(html).not.toMatch(/\/\/|<script>|\son\w+=|style=/);
    for (const [, at = ''] of html.matchAll(/(?:src|href)="(\/[^"]*)"/g)) {
      const file = await fetch(door.origin + at);
      expect([at, file.status]).toEqual([at, 200]);
      expect(file.headers.get('x-content-type-options')).toBe('nosniff');
    }
    const script = await (await fetch(`${door.origin}/docs/init.js`)).text();
    expect(script).toContain("validatorUrl: 'none'");
    expect(script).toContain("url: '/openapi.json'");
  });
});
