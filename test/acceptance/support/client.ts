/** HTTP as it is: node:http with the path untouched (fetch would normalise `..` away). */

import type { Agent } from 'node:http';
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http';
import type { Readable } from 'node:stream';

export interface Target {
  readonly url: string;
  readonly agent?: Agent;
}

export interface Question {
  readonly method?: string;
  readonly token?: string | undefined;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer | string | Readable;
  /** A body as JSON, with its content type. */
  readonly json?: unknown;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  text(): string;
  /** The body as a JSON object. */
  json(): Record<string, unknown>;
}

export const base = '/storage/v1';

/** `path` goes onto the wire as it is, below /storage/v1 unless it begins with the origin's `@`. */
export function ask(target: Target, path: string, question: Question = {}): Promise<Reply> {
  const { method = 'GET', token, headers = {}, json } = question;
  const body = json === undefined ? question.body : JSON.stringify(json);
  const { hostname, port } = new URL(target.url);
  return new Promise((resolve, reject) => {
    const asked = request({
      hostname,
      port,
      method,
      path: path.startsWith('@') ? path.slice(1) : base + path,
      ...(target.agent ? { agent: target.agent } : {}),
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...(headers['transfer-encoding'] === undefined ? lengthOf(body) : {}),
        ...headers,
      },
    });
    let answered = false;
    asked.once('response', (response) => {
      answered = true;
      const chunks: Buffer[] = [];
      // A stream of events has no end of its own: its head is the answer.
      if (response.headers['content-type']?.startsWith('text/event-stream')) {
        resolve(replyOf(response, Buffer.alloc(0)));
        asked.destroy();
        return;
      }
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', () => resolve(replyOf(response, Buffer.concat(chunks))));
      response.once('error', reject);
    });
    asked.on('error', (error) => {
      // A server that refuses early may close while the rest of the body is still on its way.
      if (!answered) reject(error);
    });
    if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) asked.end(body);
    else body.once('error', (error) => asked.destroy(error)).pipe(asked);
  });
}

function lengthOf(body: Question['body']): OutgoingHttpHeaders {
  if (body === undefined) return {};
  if (typeof body === 'string') return { 'content-length': Buffer.byteLength(body) };
  return Buffer.isBuffer(body) ? { 'content-length': body.length } : {};
}

export function replyOf(
  { statusCode, headers }: { statusCode?: number | undefined; headers: IncomingHttpHeaders },
  bytes: Buffer,
): Reply {
  return {
    status: statusCode ?? 0,
    headers,
    bytes,
    text: () => bytes.toString('utf8'),
    json() {
      try {
        return JSON.parse(bytes.toString('utf8'));
      } catch (cause) {
        throw new Error(`not JSON (${statusCode}): ${bytes.toString('utf8', 0, 200)}`, { cause });
      }
    },
  };
}

/** An object path for a URL: each segment percent-encoded, slashes kept. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
