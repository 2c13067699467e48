/**
 * The document of the built server, its page, and a seeded fuzz over it: whatever is put into any
 * parameter of any route, the answer is one that the document tells of, and never a fault.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, type Question, type Reply } from '../support/client.ts';
import { type Server, startServer } from '../support/server.ts';
import { service, user } from '../support/tokens.ts';

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
}

interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<Record<string, unknown>>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const seed = 20_261_121;
const runs = 1_500;

let server: Server;
let document: Document;

beforeAll(async () => {
  // Wrong tokens are a part of the fuzz; to be told so each time, nobody is told to wait.
  server = await startServer({ env: { AEROSTORE_LIMIT_AUTH_FAILURES: '1000000' } });
  const reply = await ask(server, '@/openapi.json');
  expect(reply.status).toBe(200);
  document = reply.json() as unknown as Document;
});
afterAll(() => server.stop());

test('the page is served whole, from this origin and under a strict policy', async () => {
  const page = await ask(server, '@/docs');
  expect(page.status).toBe(200);
  expect(page.headers['content-security-policy']).toContain("script-src 'self'");
  const files = [...page.text().matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, at]) => at);
  expect(files.length).toBeGreaterThanOrEqual(3);
  for (const at of files) {
    const file = await ask(server, `@${at}`);
    expect([at, file.status]).toEqual([at, 200]);
    expect(file.bytes.byteLength).toBeGreaterThan(50);
  }
  expect((await ask(server, '@/docs/swagger-ui-bundle.js')).text()).toContain('SwaggerUIBundle');
});

const hostileTexts = [
  '',
  '.',
  '..',
  '__proto__',
  'constructor',
  '\u0000',
  '%',
  '%zz',
  'ü\u{1F600}',
  '\ud800',
  "' or 1=1 --",
  '<script>',
  '-1',
  '0',
  '1e309',
  '99999999999999999999999',
  'NaN',
  'null',
  'a'.repeat(3_000),
  '*'.repeat(2_000),
  '('.repeat(500),
  '2026-13-45T99:99:99Z',
];
const hostile = fc.constantFrom(...hostileTexts);
const sensible = fc.constantFrom(
  'fuzz',
  'a/b.txt',
  '*',
  'bytes=1-2',
  'bytes=9-',
  'k1',
  'eq.x',
  'gte.5',
  'like.*a*%',
  'in.(a,"b",c)',
  'in.("',
  'is.null',
  'eq.me',
  'gte.2026-01-01',
  'size.desc',
  'path,size',
  'true',
  'false',
  '1',
  '1000',
  'public',
  'image/*',
);
const text = fc.oneof(sensible, hostile, fc.string({ maxLength: 40 }));
const json = fc.oneof(
  text,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.array(text, { maxLength: 3 }),
  fc.jsonValue({ maxDepth: 3 }),
  fc.constant(Array.from({ length: 10_000 }, (_, index) => `p${index}`)),
);

/** Something of the shape, here and there something else. */
function bodyOf(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.oneof(fc.constantFrom(...schema.enum), json);
  if (schema.items) return fc.oneof(fc.array(bodyOf(schema.items), { maxLength: 4 }), json);
  if (!schema.properties) return json;
  const known = Object.entries(schema.properties).map(([name, inner]) => [name, bodyOf(inner)]);
  const fields = fc.record(Object.fromEntries(known) as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: [],
  });
  const odd = fc
    .tuple(fields, text, json)
    .map(([body, name, value]) => ({ ...body, [name]: value }));
  return fc.oneof({ weight: 6, arbitrary: fields }, { weight: 1, arbitrary: odd }, json);
}

interface Shot {
  readonly path: string;
  readonly template: string;
  readonly method: string;
  readonly question: Question;
}

const headerText = /[^\t\x20-\x7e]/g;

function shotAt(template: string, method: string, operation: Operation): fc.Arbitrary<Shot> {
  const ofPlace = (place: Parameter['in']) =>
    operation.parameters.filter((parameter) => parameter.in === place).map(({ name }) => name);
  const queryName = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...ofPlace('query'), 'metadata->>project') },
    { weight: 1, arbitrary: text },
  );
  const content = operation.requestBody?.content ?? {};
  const schema = content['application/json']?.schema;
  const raw = fc.oneof(text, fc.constant('{"a":'.repeat(200)), fc.constant('[]'), fc.constant('{'));
  const body = schema
    ? fc.oneof({ weight: 8, arbitrary: bodyOf(schema).map((value) => JSON.stringify(value)) }, raw)
    : fc.option(raw, { nil: undefined, freq: content['*/*'] ? 10 : 1 });
  return fc
    .record({
      bucket: fc.oneof({ weight: 4, arbitrary: fc.constant('fuzz') }, text),
      path: fc.oneof({ weight: 4, arbitrary: fc.constantFrom('a/b.txt', 'c') }, text),
      query: fc.array(fc.tuple(queryName, text), { maxLength: 4 }),
      headers: fc.array(fc.tuple(fc.constantFrom('range', ...ofPlace('header')), text), {
        maxLength: 3,
      }),
      type: fc.constantFrom(
        'application/json',
        'text/plain',
        'multipart/form-data; boundary=x',
        'x',
      ),
      token: fc.constantFrom(undefined, user('ann'), user('ann'), user('bob'), service, 'garbage'),
      isHead: fc.boolean(),
      body,
    })
    .map(({ bucket, path, query, headers, type, token, isHead, body: sent }) => {
      const encode = (part: string) => encodeURIComponent(part.toWellFormed());
      const at = template
        .replace('{bucket}', encode(bucket))
        .replace('{path}', path.split('/').map(encode).join('/'))
        .replace('{id}', encode(bucket))
        .replace('{name}', encode(bucket));
      const search = new URLSearchParams(query).toString();
      const all = headers.map(([name, value]) => [
        name,
        value.replace(headerText, '').slice(0, 900),
      ]);
      return {
        template,
        method,
        path: `@${at}${search === '' ? '' : `?${search}`}`,
        question: {
          method: method === 'get' && isHead ? 'HEAD' : method.toUpperCase(),
          token,
          headers: {
            ...Object.fromEntries(all),
            ...(sent === undefined ? {} : { 'content-type': type }),
          },
          ...(sent === undefined ? {} : { body: sent }),
        },
      };
    });
}

const counts = new Map<number, number>();

async function fire({ path, template, method, question }: Shot): Promise<void> {
  const reply = await ask(server, path, question);
  counts.set(reply.status, (counts.get(reply.status) ?? 0) + 1);
  const shown = `${question.method} ${path.slice(0, 300)} → ${reply.status} ${reply.text().slice(0, 300)}`;
  expect(reply.status, shown).toBeLessThan(500);
  // A segment that is empty or holds a slash may make it another route, of which nothing is said.
  if (answersAnother(reply, path, template)) return;
  expect(Object.keys(document.paths[template]?.[method]?.responses ?? {}), shown).toContain(
    String(reply.status),
  );
  if (reply.status < 400 || question.method === 'HEAD') return;
  const { statusCode, code } = reply.json();
  expect(statusCode, shown).toBe(String(reply.status));
  expect(code, shown).toMatch(/^[A-Z]\w+$/);
}

function answersAnother(reply: Reply, path: string, template: string): boolean {
  const pathname = path.slice(1).split('?', 1)[0] ?? '';
  const code = reply.status >= 400 && reply.bytes.length > 0 ? reply.json().code : undefined;
  if (code === 'NoSuchRoute' || code === 'MethodNotAllowed') return true;
  const words = template.split('/').filter((word) => !word.startsWith('{')).length;
  const segments = pathname.split('/');
  return segments.includes('') && segments.lastIndexOf('') >= words;
}

test('a seeded fuzz finds no fault and no answer that the document does not tell of', async () => {
  const shots = Object.entries(document.paths).flatMap(([template, item]) =>
    Object.entries(item).map(([method, operation]) => shotAt(template, method, operation)),
  );
  expect(shots.length).toBeGreaterThan(40);
  let fired = 0;
  const property = fc.asyncProperty(fc.oneof(...shots), async (shot) => {
    if (fired % 15 === 0) await provide();
    fired += 1;
    await fire(shot);
  });
  await fc.assert(property, { seed, numRuns: runs, endOnFailure: true });
  expect(counts.get(200) ?? 0, JSON.stringify([...counts])).toBeGreaterThan(runs / 20);
  expect((await ask(server, '@/health/ready')).status).toBe(200);
}, 300_000);

test('every hostile text in every parameter of every route is answered as documented', async () => {
  await provide();
  const shots = Object.entries(document.paths).flatMap(([template, item]) =>
    Object.entries(item).flatMap(([method, { parameters }]) =>
      parameters.flatMap((parameter) =>
        hostileTexts.map((value) => aimedAt({ template, method, parameter, value })),
      ),
    ),
  );
  expect(shots.length).toBeGreaterThan(2_000);
  const waiting = shots.values();
  const shooter = async () => {
    for (const shot of waiting) await fire(shot);
  };
  await Promise.all(Array.from({ length: 8 }, shooter));
}, 300_000);

function aimedAt(aim: {
  readonly template: string;
  readonly method: string;
  readonly parameter: Parameter;
  readonly value: string;
}): Shot {
  const { template, method, parameter, value } = aim;
  const usual: Readonly<Record<string, string>> = {
    bucket: 'fuzz',
    path: 'a/b.txt',
    id: 'none',
    name: 'fuzz',
  };
  const at = template.replaceAll(/\{(\w+)\}/g, (_word, name: string) => {
    const text = parameter.in === 'path' && parameter.name === name ? value : (usual[name] ?? '');
    return name === 'path' && text !== value ? text : encodeURIComponent(text.toWellFormed());
  });
  const search = new URLSearchParams(
    parameter.in === 'query' ? { [parameter.name]: value } : {},
  ).toString();
  const header = value.replace(headerText, '').slice(0, 900);
  return {
    template,
    method,
    path: `@${at}${search === '' ? '' : `?${search}`}`,
    question: {
      method: method.toUpperCase(),
      token: template.includes('/admin/') ? service : user('eve'),
      headers: parameter.in === 'header' ? { [parameter.name]: header } : {},
    },
  };
}

/** What the fuzz may have deleted. */
async function provide(): Promise<void> {
  const token = user('ann');
  const settings = { name: 'fuzz', public: true, write_policy: 'authenticated' };
  await ask(server, '/bucket', { method: 'POST', token, json: settings });
  await ask(server, '/object/fuzz/a/b.txt', { method: 'PUT', token, body: 'hello' });
}
