/**
 * Requests that ask for another protocol (RFC 9110 §7.8). Node hands their connections over without
 * its parser, whatever is asked for. A WebSocket's handshake is answered from here, well or with the
 * usual problem; everything else, such as curl's offer of HTTP/2, is taken for the request that it
 * is without the offer. Pipelined behind a request that is still being answered, each ends the
 * connection: Node's order of answers does not reach beyond its parser.
 */
import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Upgrade } from './exchange.ts';

export interface Upgrading {
  readonly incoming: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
}

export function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  const hasBody = 'content-length' in headers || 'transfer-encoding' in headers;
  return method === 'GET' && !hasBody && headers.upgrade?.toLowerCase() === 'websocket';
}

/** Gives the connection back to the server, to be read again from this request on. */
export function withoutUpgrade(server: Server, { incoming, socket, head }: Upgrading): void {
  if (isAnswering(socket)) return void socket.destroy();
  const lines = [`${incoming.method} ${incoming.url} HTTP/${incoming.httpVersion}`];
  const { rawHeaders } = incoming;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2);
    if (/^(?:upgrade|http2-settings)$/i.test(name)) continue;
    const kept = /^connection$/i.test(name) ? value.replace(offers, '') : value;
    if (kept !== '') lines.push(`${name}: ${kept}`);
  }
  const again = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  socket.unshift(Buffer.concat([again, head]));
  server.emit('connection', socket);
}

const offers = /\s*\b(?:upgrade|http2-settings)\b\s*,?/gi;

/** Something to answer with; the connection ends with the answer, unless it becomes something else. */
export function answerTo({ incoming, socket }: Upgrading): ServerResponse {
  const outgoing = new ServerResponse(incoming);
  outgoing.shouldKeepAlive = false;
  // Node took its own listener away. What breaks is closed, and whoever writes to it finds that out.
  socket.on('error', () => undefined);
  if (isAnswering(socket)) {
    socket.once('close', () => outgoing.emit('close'));
    socket.destroy();
    return outgoing.destroy();
  }
  outgoing.assignSocket(socket);
  // As Node does it for requests that it parses on.
  outgoing.once('finish', () => {
    outgoing.detachSocket(socket);
    socket.destroySoon();
    outgoing.emit('close');
  });
  return outgoing;
}

/** True where an answer holds the connection; another one can't be given it then. */
function isAnswering(socket: Socket & { readonly _httpMessage?: ServerResponse | null }): boolean {
  return Boolean(socket._httpMessage);
}

/** HTTP has no more to do with the connection; `outgoing` closes when that does. */
export function leaveHttp(outgoing: ServerResponse, { socket }: Upgrade): void {
  outgoing.detachSocket(socket as Socket);
  socket.once('close', () => outgoing.emit('close'));
}
