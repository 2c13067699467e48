/**
 * What arrives and is not HTTP: too many headers, no request line, a body that ends early. Node has no
 * request to give then, so the answer is written to the socket as it stands; where an exchange runs on
 * the connection, its body is told instead and its own handler answers.
 */

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { v7 as uuidv7 } from 'uuid';
import type { Observe } from '../../domain/effects.ts';
import { rejection } from '../../domain/rejection.ts';
import { type Problem, problemAnswer } from '../problems.ts';
import type { Exchange } from './exchange.ts';
import { incomplete } from './request-body.ts';

interface Context {
  readonly running: readonly Exchange[];
  readonly observe: Observe;
}

/** How long a client is still listened to after it was told, ms: closing at once could lose the answer. */
const lingerMs = 1_000;

const answered = new WeakSet<Socket>();

export function answerMalformed(
  error: NodeJS.ErrnoException,
  socket: Socket,
  { running, observe }: Context,
): void {
  if (running.length > 0) {
    failRunning(error, running);
    return;
  }
  if (answered.has(socket)) return;
  answered.add(socket);
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const requestId = uuidv7();
  const problem = problemOf(error.code);
  const reply = rawReply(problem, requestId);
  observe.info('request', {
    request_id: requestId,
    route: 'malformed',
    status: reply.status,
    why: error.code,
  });
  socket.end(reply.text);
  setTimeout(() => socket.destroy(), lingerMs).unref();
}

function failRunning(error: NodeJS.ErrnoException, running: readonly Exchange[]): void {
  // RFC 9112 §8: the connection ended within the body. Anything else is a broken framing.
  const reason =
    error.code === 'HPE_INVALID_EOF_STATE' || error.code === 'ECONNRESET'
      ? incomplete
      : rejection('InvalidRequest', 'The body is not well-formed HTTP');
  for (const { body, incoming, outgoing } of running) {
    if (!incoming.complete) body.fail(reason);
    if (!outgoing.headersSent) outgoing.setHeader('connection', 'close');
    outgoing.once('close', () => incoming.socket.destroySoon());
  }
}

function problemOf(code: string | undefined): Problem {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return { code: 'HeaderTooLarge', message: 'The request line and headers exceed 16 KiB' };
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { code: 'RequestTimeout', message: 'The headers did not arrive in time' };
    default:
      return { code: 'InvalidRequest', message: 'This is not a well-formed HTTP request' };
  }
}

function rawReply(problem: Problem, requestId: string): { status: number; text: string } {
  const { status, headers, body } = problemAnswer(problem);
  const text = typeof body === 'string' ? body : '';
  const lines = Object.entries({
    ...headers,
    date: new Date().toUTCString(),
    'x-request-id': requestId,
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return {
    status,
    text: `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${text}`,
  };
}
