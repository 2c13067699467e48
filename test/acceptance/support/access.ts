/**
 * API.md "Who may do what" as data, and its prose as functions over it. `expected…` are answers in
 * the form of `outcome`; no case is written by hand, so none is forgotten.
 */
import { expect } from 'vitest';
import { ask, type Question, type Reply } from './client.ts';
import type { Server } from './server.ts';
import { makeBucket, put } from './store.ts';
import { anonymousToken, hs256, nowSeconds, service, user } from './tokens.ts';

export const callers = {
  nobody: undefined,
  anon: anonymousToken,
  stranger: user('stranger'),
  writer: user('writer'),
  boss: user('boss'),
  service,
  'service as stranger': hs256({ role: 'service_role', sub: 'stranger' }),
  'expired service': hs256({ role: 'service_role', exp: nowSeconds() - 3600 }),
  'forged boss': hs256({ sub: 'boss', role: 'authenticated' }, { key: 'x'.repeat(32) }),
} as const;
export type CallerName = keyof typeof callers;
export const callerNames = Object.keys(callers) as CallerName[];

export const policies = ['private', 'authenticated', 'public'] as const;
const writePolicies = ['owner', 'authenticated'] as const;
/** `of-boss` belongs to the bucket's owner, `of-writer` to another user; `none` does not exist. */
export const paths = ['of-boss', 'of-writer', 'none'] as const;
export type Path = (typeof paths)[number];

export interface Setting {
  readonly policy: (typeof policies)[number];
  readonly writePolicy: (typeof writePolicies)[number];
}

export const settings: readonly Setting[] = policies.flatMap((policy) =>
  writePolicies.map((writePolicy) => ({ policy, writePolicy })),
);

export interface Asked extends Setting {
  readonly caller: CallerName;
  readonly path: Path;
}

const columns = ['anonymous', 'user', 'object owner', 'bucket owner', 'service'] as const;
type Cell = 'yes' | 'no' | 'if write_policy';
type Row = readonly [Cell, Cell, Cell, Cell, Cell];

/** The table of API.md, a row for each policy where the policy counts; "–" is no. */
const table = {
  'read, public': ['yes', 'yes', 'yes', 'yes', 'yes'],
  'read, authenticated': ['no', 'yes', 'yes', 'yes', 'yes'],
  'read, private': ['no', 'no', 'yes', 'no', 'yes'],
  add: ['no', 'if write_policy', 'no', 'yes', 'yes'],
  overwrite: ['no', 'no', 'yes', 'no', 'yes'],
  delete: ['no', 'no', 'yes', 'yes', 'yes'],
  'see, public': ['yes', 'yes', 'no', 'yes', 'yes'],
  'see, authenticated': ['no', 'yes', 'no', 'yes', 'yes'],
  'see, private': ['no', 'if write_policy', 'no', 'yes', 'yes'],
  manage: ['no', 'no', 'no', 'yes', 'yes'],
  widen: ['no', 'no', 'no', 'no', 'yes'],
  // "Signed URLs": the object's owner, the bucket's owner, service.
  revoke: ['no', 'no', 'yes', 'yes', 'yes'],
} as const satisfies Readonly<Record<string, Row>>;

export const isAnonymous = ({ caller }: Pick<Asked, 'caller'>) =>
  caller === 'nobody' || caller === 'anon';
export const isService = ({ caller }: Pick<Asked, 'caller'>) => caller.startsWith('service');
export const isBad = ({ caller }: Pick<Asked, 'caller'>) => /^(expired|forged) /.test(caller);
export const exists = ({ path }: Pick<Asked, 'path'>) => path !== 'none';

function inColumn(asked: Asked, column: (typeof columns)[number]): boolean {
  if (isBad(asked)) return false;
  if (column === 'anonymous') return isAnonymous(asked);
  if (column === 'service') return isService(asked);
  if (isAnonymous(asked) || isService(asked)) return false;
  if (column === 'object owner') return asked.path === `of-${asked.caller}`;
  return column === 'user' || asked.caller === 'boss';
}

export function may(action: keyof typeof table, asked: Asked): boolean {
  const allowed = (cell: Cell) =>
    cell === 'yes' || (cell === 'if write_policy' && asked.writePolicy === 'authenticated');
  return columns.some(
    (column, at) => inColumn(asked, column) && allowed(table[action][at] ?? 'no'),
  );
}

export const seesBucket = (asked: Asked) => may(`see, ${asked.policy}`, asked);
export const mayRead = (asked: Asked) => exists(asked) && may(`read, ${asked.policy}`, asked);
export const readable = (asked: Asked) => paths.filter((path) => mayRead({ ...asked, path }));

const missing = (asked: Asked) => (seesBucket(asked) ? '404 NoSuchKey' : '404 NoSuchBucket');

/** What is answered before anything is looked at; undefined where credentials suffice. */
function withoutCredentials(asked: Asked): string | undefined {
  if (isBad(asked)) return '401 InvalidJWT';
  return isAnonymous(asked) ? '401 MissingAuthorization' : undefined;
}

export function expectedRead(asked: Asked): string {
  if (isBad(asked)) return '401 InvalidJWT';
  return mayRead(asked) ? '200' : missing(asked);
}

/** Signing for a download: as reading, but never without credentials. */
export function expectedSign(asked: Asked): string {
  return withoutCredentials(asked) ?? expectedRead(asked);
}

export function expectedWrite(asked: Asked): string {
  const refused = withoutCredentials(asked);
  if (refused) return refused;
  if (may(exists(asked) ? 'overwrite' : 'add', asked)) return '200';
  return seesBucket(asked) ? '403 AccessDenied' : '404 NoSuchBucket';
}

/** What is done to an object that is there: PATCH, DELETE, revocation of what was signed for it. */
export function expectedOn(action: 'overwrite' | 'delete' | 'revoke', asked: Asked): string {
  const refused = withoutCredentials(asked);
  if (refused) return refused;
  if (!exists(asked)) return missing(asked);
  if (may(action, asked)) return '200';
  return mayRead(asked) ? '403 AccessDenied' : missing(asked);
}

/** What reaches into a bucket: also for a caller who owns an object in it. */
export function expectedWithin(asked: Asked): string {
  const refused = withoutCredentials(asked);
  if (refused) return refused;
  return seesBucket(asked) || readable(asked).length > 0 ? '200' : '404 NoSuchBucket';
}

export function expectedSee(asked: Asked): string {
  return withoutCredentials(asked) ?? (seesBucket(asked) ? '200' : '404 NoSuchBucket');
}

export function expectedManage(asked: Asked): string {
  const seen = expectedSee(asked);
  return seen === '200' && !may('manage', asked) ? '403 AccessDenied' : seen;
}

/**
 * One cell is left open by the contract: a caller who owns an object in a bucket that they can't see
 * asks for what is not theirs in it. Whether the bucket or the key is missing is all the same.
 */
const isOpen = ({ caller, policy, writePolicy }: Omit<Asked, 'path'>) =>
  caller === 'writer' && policy === 'private' && writePolicy === 'owner';

export function same(got: string, wanted: string, asked: Omit<Asked, 'path'>): boolean {
  return got === wanted || (isOpen(asked) && got.startsWith('404') && wanted.startsWith('404'));
}

export interface Route {
  readonly name: string;
  readonly expected: (asked: Asked) => string;
  readonly request: (bucket: string, path: Path) => readonly [string, Question];
  /** False where the path plays no part. */
  readonly ofObject: boolean;
}

/** Who makes an object of this owner in any bucket: a service's `sub` owns what it makes. */
const maker = (owner: string) => hs256({ role: 'service_role', sub: owner });

/** A bucket of the boss's that holds one object of the boss and one of the writer. */
export async function furnish(
  server: Server,
  { policy, writePolicy }: Setting,
  owners: readonly string[] = ['boss', 'writer'],
): Promise<string> {
  const bucket = await makeBucket(server, {
    owner: 'boss',
    settings: { policy, write_policy: writePolicy },
  });
  for (const owner of owners) {
    await put(server, `${bucket}/of-${owner}`, { token: maker(owner), body: `of-${owner}` });
  }
  return bucket;
}

/** Puts a path back to how `furnish` left it. */
export async function repair(server: Server, bucket: string, path: Path): Promise<void> {
  await ask(server, `/object/${bucket}/${path}`, { method: 'DELETE', token: service });
  if (!exists({ path })) return;
  await put(server, `${bucket}/${path}`, { token: maker(path.slice(3)), body: path });
}

/** All of an answer that may not differ, with the names of the case taken out. */
export function masked(reply: Reply, names: readonly string[]): string {
  const headers = Object.entries(reply.headers)
    .filter(([name]) => name !== 'date' && name !== 'x-request-id')
    // What is left of a rate is the caller's own count.
    .map(([name, value]) => [name, name.startsWith('ratelimit') ? '•' : value]);
  const shown = JSON.stringify({ status: reply.status, headers, body: reply.text() });
  return names.reduce((text, name) => text.replaceAll(name, '•'), shown);
}

/** Many sign and many fail here: the limits on rates are another test's. */
export const unlimited = {
  AEROSTORE_LIMIT_SIGNING: '1000000',
  AEROSTORE_LIMIT_AUTH_FAILURES: '1000000',
} as const;

export function expectOneOf(reply: Reply, got: string, wanted: readonly string[]): void {
  expect(wanted, `${got}: ${reply.text()}`).toContain(got);
}

export const ids: Readonly<Partial<Record<CallerName, string>>> = {
  stranger: 'stranger',
  writer: 'writer',
  boss: 'boss',
  'service as stranger': 'stranger',
};
