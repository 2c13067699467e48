/** The store's state as an outsider can know it: the log's head, the views' digest, the staging folder. */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { ask, encodePath, type Question, type Reply } from './client.ts';
import type { Server } from './server.ts';
import { service, user } from './tokens.ts';
import { until } from './until.ts';

export async function head(server: Server): Promise<string> {
  const reply = await ask(server, '/admin/status', { token: service });
  expect(reply.status, reply.text()).toBe(200);
  const positions = reply.json().positions as Record<string, unknown>;
  expect(positions.head, reply.text()).toBeDefined();
  return String(positions.head);
}

export async function digest(server: Server): Promise<string> {
  const reply = await ask(server, '/admin/digest', { token: service });
  expect(reply.status, reply.text()).toBe(200);
  const found = reply.json().digest;
  expect(found, reply.text()).toMatch(/^[0-9a-f]{16,}$/);
  return String(found);
}

export function staged({ dataDir }: { readonly dataDir: string }): string[] {
  return readdirSync(path.join(dataDir, 'staging'));
}

export async function stagingEmpties(server: Server): Promise<void> {
  await until('staging is empty', () => staged(server).length === 0);
}

/** Runs `refused` and proves that it left nothing: no staged file, no record, no changed view. */
export async function leavesNothing<T>(server: Server, refused: () => Promise<T>): Promise<T> {
  await stagingEmpties(server);
  const before = { head: await head(server), digest: await digest(server) };
  const result = await refused();
  await stagingEmpties(server);
  expect({ head: await head(server), digest: await digest(server) }).toEqual(before);
  return result;
}

let counter = 0;

/** A name that no other test uses. */
export function fresh(stem: string): string {
  counter += 1;
  return `${stem}-${counter}`;
}

export interface BucketOptions {
  readonly owner?: string;
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Makes a bucket of a fresh name and returns it. */
export async function makeBucket(server: Server, options: BucketOptions = {}): Promise<string> {
  const { owner = 'alice', settings = {} } = options;
  const name = fresh('bucket');
  const json = { name, ...settings };
  const reply = await ask(server, '/bucket', { method: 'POST', token: user(owner), json });
  expect(reply.status, reply.text()).toBe(200);
  return name;
}

/** Uploads, and expects it to go well. */
export async function put(server: Server, key: string, question: Question): Promise<Reply> {
  const reply = await ask(server, `/object/${encodePath(key)}`, { method: 'PUT', ...question });
  expect(reply.status, `PUT ${key}: ${reply.text()}`).toBe(200);
  return reply;
}

/** The keys of a bucket, page by page, in the order of the list. */
export async function listPaths(
  server: Server,
  bucket: string,
  { token, query = '' }: { readonly token: string; readonly query?: string },
): Promise<string[]> {
  const paths: string[] = [];
  let cursor: string | undefined;
  do {
    const at = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const reply = await ask(server, `/object/list/${bucket}?${query}${at}`, { token });
    expect(reply.status, reply.text()).toBe(200);
    const page = reply.json() as { objects: { path: string }[]; next_cursor: string | null };
    paths.push(...page.objects.map((object) => object.path));
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return paths;
}
