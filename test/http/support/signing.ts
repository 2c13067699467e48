/** What the tests of signed URLs ask of a door, and how they read what it says. */
import { expect } from 'vitest';
import type { CallInit } from './door.ts';
import type { StoreDoor } from './store-door.ts';

export const body = 'what was put there';

/** The door that `of` answers at each call: tests open theirs later. */
export function asking(of: () => StoreDoor) {
  const put = (path: string, init: CallInit = {}) =>
    of().call(path, { method: 'PUT', body, headers: { 'content-type': 'text/plain' }, ...init });
  const post = (path: string, json: unknown = {}, init: CallInit = {}) =>
    of().call(path, { method: 'POST', json, ...init });
  const asNobody = (path: string, init: CallInit = {}) => of().call(path, { ...init, as: null });

  async function signed(path = 'b/a.txt', json: unknown = {}) {
    const reply = await post(`/object/sign/${path}`, json);
    expect(reply.status).toBe(200);
    return (await reply.json()) as Record<'url' | 'expires_at' | 'signedURL' | 'token', string>;
  }

  async function signedUpload(path: string, json: unknown = {}, headers = {}) {
    const reply = await post(`/object/upload/sign/${path}`, json, { headers });
    expect(reply.status).toBe(200);
    return (await reply.json()) as Record<'url' | 'signed_url' | 'token' | 'expires_at', string>;
  }

  return { put, post, asNobody, signed, signedUpload };
}

export async function problem(reply: Response | Promise<Response>): Promise<string> {
  const found = await reply;
  const { code, message } = (await found.json()) as { code: string; message: string };
  return `${found.status} ${code}: ${message}`;
}
