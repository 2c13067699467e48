/** Signing and using signed URLs as a client does. */
import { expect } from 'vitest';
import { ask, type Question, type Reply } from './client.ts';
import type { Server } from './server.ts';

export interface SignedDownload {
  readonly url: string;
  readonly expires_at: string;
  readonly signedURL: string;
  readonly token: string;
}

export interface SignedUpload {
  readonly url: string;
  readonly signed_url: string;
  readonly token: string;
  readonly expires_at: string;
}

/** `place`: bucket and path, encoded. */
export async function sign(server: Server, place: string, question: Question) {
  const reply = await ask(server, `/object/sign/${place}`, { method: 'POST', ...question });
  expect(reply.status, reply.text()).toBe(200);
  return reply.json() as unknown as SignedDownload;
}

export async function signUpload(server: Server, place: string, question: Question) {
  const reply = await ask(server, `/object/upload/sign/${place}`, { method: 'POST', ...question });
  expect(reply.status, reply.text()).toBe(200);
  return reply.json() as unknown as SignedUpload;
}

/** Asks an absolute URL of the server's, as nobody. */
export function follow(server: Server, url: string, question: Question = {}): Promise<Reply> {
  expect(url.startsWith(`${server.url}/storage/v1/`), url).toBe(true);
  return ask(server, `@${url.slice(server.url.length)}`, question);
}

export async function revoke(server: Server, token: string, json: unknown): Promise<Reply> {
  return ask(server, '/object/sign/revoke', { method: 'POST', token, json });
}

/** What a token claims. */
export function claimsIn(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}
