/**
 * API.md "Who may do what" over HTTP, where access.test.ts leaves off: aliases, PATCH, signing, many at
 * once, lists, queries, copy and move × caller × policy × write_policy × whose object.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Asked,
  callerNames,
  callers,
  exists,
  expectedOn,
  expectedRead,
  expectedSee,
  expectedSign,
  expectedWithin,
  expectedWrite,
  expectOneOf,
  furnish,
  ids,
  isBad,
  may,
  mayRead,
  type Path,
  paths,
  type Route,
  readable,
  repair,
  type Setting,
  same,
  settings,
  unlimited,
} from '../support/access.ts';
import { ask, type Reply } from '../support/client.ts';
import { expectProblem, outcome } from '../support/problems.ts';
import { type Server, startServer } from '../support/server.ts';
import { sign } from '../support/signed.ts';
import { fresh, head } from '../support/store.ts';
import { service } from '../support/tokens.ts';

let server: Server;
/** One of each setting; whoever changes one repairs it. */
const buckets = new Map<Setting, string>();
/** Signed by the service role for each place. */
const signed = new Map<string, string>();
let lastHead = '';

beforeAll(async () => {
  server = await startServer({ env: unlimited });
  for (const setting of settings) {
    const bucket = await furnish(server, setting);
    buckets.set(setting, bucket);
    for (const path of ['of-boss', 'of-writer']) {
      const place = `${bucket}/${path}`;
      signed.set(place, (await sign(server, place, { token: service })).token);
    }
  }
  lastHead = await head(server);
});
afterAll(() => server?.kill());

const bucketOf = (setting: Setting) => buckets.get(setting) ?? '';
const whenPublic = (wanted: string, asked: Asked) =>
  asked.policy === 'public' || isBad(asked) ? wanted : '404 NoSuchBucket';

interface Case extends Route {
  /** What an allowed request shows. */
  readonly check?: (reply: Reply, asked: Asked, bucket: string) => void;
  /** What an allowed request changes, to be put back. */
  readonly changes?: readonly Path[];
  /** The paths for which the contract says what is answered. */
  readonly of?: readonly Path[];
}

const headOf = (stem: string, expected: Route['expected'] = expectedRead): Case => ({
  name: `HEAD ${stem}`,
  expected: (asked) => expected(asked).slice(0, 3),
  request: (bucket, path) => [`${stem}/${bucket}/${path}`, { method: 'HEAD' }],
  ofObject: true,
});
const publicOnly = (asked: Asked) => whenPublic(expectedRead(asked), asked);

const within = (name: string, request: Route['request'], check: Case['check']): Case => ({
  name,
  expected: expectedWithin,
  request,
  ofObject: false,
  ...(check ? { check } : {}),
});

const names = (rows: unknown, key = 'name') =>
  (rows as Record<string, unknown>[]).map((row) => row[key]);
const isThere = ['of-boss', 'of-writer'] as const;
const deleted = (asked: Asked) =>
  isThere.filter((path) => expectedOn('delete', { ...asked, path }) === '200');

const cases: readonly Case[] = [
  headOf('/object/authenticated'),
  headOf('/object/public', publicOnly),
  headOf('/object/info'),
  headOf('/object/info/authenticated'),
  headOf('/object/info/public', publicOnly),
  {
    name: 'PATCH /object',
    expected: (asked) => expectedOn('overwrite', asked),
    request: (bucket, path) => [
      `/object/${bucket}/${path}`,
      { method: 'PATCH', json: { metadata: { n: fresh('n') } } },
    ],
    ofObject: true,
  },
  {
    name: 'POST /object/sign',
    expected: expectedSign,
    request: (bucket, path) => [`/object/sign/${bucket}/${path}`, { method: 'POST', json: {} }],
    ofObject: true,
  },
  {
    name: 'POST /object/upload/sign',
    expected: expectedWrite,
    request: (bucket, path) => [
      `/object/upload/sign/${bucket}/${path}`,
      { method: 'POST', json: {}, headers: { 'x-upsert': 'true' } },
    ],
    ofObject: true,
  },
  {
    name: 'POST /object/sign/revoke of a path',
    expected: (asked) => expectedOn('revoke', asked),
    request: (bucket, path) => [
      '/object/sign/revoke',
      { method: 'POST', json: { bucket, path, issued_before: '2020-01-01T00:00:00Z' } },
    ],
    ofObject: true,
    of: isThere,
  },
  {
    name: 'POST /object/sign/revoke of a token',
    expected: (asked) => expectedOn('revoke', asked),
    request: (bucket, path) => [
      '/object/sign/revoke',
      { method: 'POST', json: { token: signed.get(`${bucket}/${path}`) } },
    ],
    ofObject: true,
    of: isThere,
  },
  {
    name: 'POST /object/sign/revoke of a bucket',
    expected: (asked) => {
      const seen = expectedSee(asked);
      return seen === '200' && !may('manage', asked) ? '403 AccessDenied' : seen;
    },
    request: (bucket) => [
      '/object/sign/revoke',
      { method: 'POST', json: { bucket, issued_before: '2020-01-01T00:00:00Z' } },
    ],
    ofObject: false,
  },
  within(
    'POST /object/list',
    (bucket) => [`/object/list/${bucket}`, { method: 'POST', json: { prefix: '' } }],
    (reply, asked) => expect(names(reply.json())).toEqual(readable(asked)),
  ),
  within(
    'POST /object/list-v2',
    (bucket) => [`/object/list-v2/${bucket}`, { method: 'POST', json: {} }],
    (reply, asked) => expect(names(reply.json().objects)).toEqual(readable(asked)),
  ),
  within(
    'POST /object/sign of many',
    (bucket) => [`/object/sign/${bucket}`, { method: 'POST', json: { expiresIn: 60, paths } }],
    (reply, asked) => {
      const rows = reply.json() as unknown as {
        path: string;
        signedURL: unknown;
        error: unknown;
      }[];
      expect(names(rows, 'path')).toEqual(paths);
      const given = rows.filter(({ signedURL }) => signedURL).map(({ path }) => path);
      expect(given).toEqual(readable(asked));
      // What can't be read is told as what is not there.
      const errors = rows.filter(({ signedURL }) => !signedURL).map(({ error }) => error);
      expect(new Set(errors).size).toBe(1);
      expect(errors[0]).toBeTruthy();
    },
  ),
  {
    ...within(
      'DELETE of many',
      (bucket) => [`/object/${bucket}`, { method: 'DELETE', json: { prefixes: paths } }],
      (reply, asked) => {
        const gone = deleted(asked);
        const shown = gone.filter((path) => mayRead({ ...asked, path }));
        expect(names(reply.json())).toEqual(shown);
        expect(reply.headers['x-aerostore-deleted']).toBe(String(gone.length));
        expect(reply.headers['x-aerostore-skipped']).toBe(String(paths.length - gone.length));
      },
    ),
    changes: isThere,
  },
  {
    name: 'GET /query/storage_objects',
    expected: (asked) => (expectedSee(asked).startsWith('401') ? expectedSee(asked) : '200'),
    request: (bucket) => [`/query/storage_objects?bucket_id=eq.${bucket}`, {}],
    check: (reply, asked, bucket) => {
      const rows = reply.json().rows as Record<string, unknown>[];
      expect(names(rows, 'path').sort()).toEqual([...readable(asked)].sort());
      for (const row of rows) expect(row.bucket_id).toBe(bucket);
    },
    ofObject: false,
  },
];

describe.each(settings)('$policy bucket, written by $writePolicy', (setting) => {
  describe.each(cases)('$name', (of) => {
    test.each(callerNames)('%s', async (caller) => {
      const bucket = bucketOf(setting);
      for (const path of of.ofObject ? (of.of ?? paths) : (['none'] as const)) {
        const asked: Asked = { ...setting, caller, path };
        const [url, question] = of.request(bucket, path);
        const reply = await ask(server, url, { token: callers[caller], ...question });
        const wanted = of.expected(asked);
        const got = outcome(reply);
        expect(same(got, wanted, asked) ? wanted : got, `${path}: ${reply.text()}`).toBe(wanted);
        await settle(reply, got);
        if (reply.status >= 400) continue;
        of.check?.(reply, asked, bucket);
        for (const changed of of.changes ?? []) await repair(server, bucket, changed);
        if (of.changes) lastHead = await head(server);
      }
    });
  });
});

/** A refusal has its whole shape and appends nothing. */
async function settle(reply: Reply, got: string): Promise<void> {
  const now = await head(server);
  if (reply.status >= 400) {
    expect(now, 'a refusal appends nothing').toBe(lastHead);
    if (reply.bytes.length > 0) expectProblem(reply, got);
  }
  lastHead = now;
}

interface Transfer {
  readonly kind: 'copy' | 'move';
  readonly source: Asked;
  readonly target: Asked;
  readonly upsert: boolean;
}

/** Where the source and the target are both refused, either may be told. */
function expectedTransfer({ kind, source, target, upsert }: Transfer): string[] {
  const needs = expectedWrite(target);
  if (needs.startsWith('401')) return [needs];
  const refused = [
    kind === 'copy' ? expectedSign(source) : expectedOn('overwrite', source),
    needs,
  ].filter((wanted) => wanted !== '200');
  if (refused.length > 0) return refused;
  return exists(target) && !upsert ? ['409 KeyAlreadyExists'] : ['200'];
}

async function transfer(asked: Transfer): Promise<void> {
  const { kind, source, target, upsert } = asked;
  const from = bucketOf(settingOf(source));
  const to = bucketOf(settingOf(target));
  const reply = await ask(server, `/object/${kind}`, {
    method: 'POST',
    token: callers[source.caller],
    headers: upsert ? { 'x-upsert': 'true' } : {},
    json: {
      bucketId: from,
      sourceKey: source.path,
      ...(from === to ? {} : { destinationBucket: to }),
      destinationKey: target.path,
    },
  });
  const got = outcome(reply);
  const wanted = expectedTransfer(asked);
  const either = wanted.some((one) => same(got, one, source) || same(got, one, target));
  const shown = `${source.path} to ${target.policy}/${target.writePolicy} ${target.path}`;
  expectOneOf(reply, either ? `${shown}: ${wanted[0]}` : `${shown}: ${got}`, [
    ...wanted.map((one) => `${shown}: ${one}`),
  ]);
  await settle(reply, got);
  if (reply.status >= 400) return;
  const owner = (path: Path) => path.slice('of-'.length);
  const { owner_id } = reply.json();
  if (kind === 'move') expect(owner_id, shown).toBe(owner(source.path));
  else if (exists(target)) expect(owner_id, shown).toBe(owner(target.path));
  else expect(owner_id, shown).toBe(ids[source.caller] ?? null);
  await repair(server, to, target.path);
  if (kind === 'move') await repair(server, from, source.path);
  lastHead = await head(server);
}

const settingOf = ({ policy, writePolicy }: Setting): Setting => {
  const found = settings.find((one) => one.policy === policy && one.writePolicy === writePolicy);
  if (!found) throw new Error('no such setting');
  return found;
};

describe.each(['copy', 'move'] as const)('%s', (kind) => {
  describe.each(settings)('in a $policy bucket, written by $writePolicy', (setting) => {
    test.each(callerNames)('%s', async (caller) => {
      for (const from of paths) {
        for (const to of paths) {
          // Onto itself: the contract is silent.
          if (from === to) continue;
          const source = { ...setting, caller, path: from };
          const target = { ...setting, caller, path: to };
          await transfer({ kind, source, target, upsert: true });
          if (exists(target)) await transfer({ kind, source, target, upsert: false });
        }
      }
    });
  });

  describe.each(settings)('out of a $policy bucket, written by $writePolicy', (setting) => {
    test.each(callerNames)('%s', async (caller) => {
      const source = { ...setting, caller, path: 'of-writer' } as const;
      for (const other of settings) {
        if (other === setting) continue;
        for (const to of paths) {
          await transfer({ kind, source, target: { ...other, caller, path: to }, upsert: true });
        }
      }
    });
  });
});
