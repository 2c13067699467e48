/** A TCP connection by hand: for what no HTTP client would send. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Reply, replyOf } from './client.ts';
import { until } from './until.ts';

export interface Wire {
  readonly socket: Socket;
  /** Bytes, or text as latin1 so that every byte can be written. */
  send(bytes: string | Buffer): void;
  received(): string;
  /** The next final answer (interim ones are skipped). */
  reply(deadlineMs?: number): Promise<Reply>;
  closed(deadlineMs?: number): Promise<void>;
  /** Breaks the connection off. */
  drop(): void;
}

export async function openWire({ port }: { readonly port: number }): Promise<Wire> {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  const chunks: Buffer[] = [];
  let ended = false;
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => undefined);
  socket.once('close', () => {
    ended = true;
  });
  const all = () => Buffer.concat(chunks);
  return {
    socket,
    send: (bytes) => socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
    received: () => all().toString('latin1'),
    reply: (deadlineMs = 10_000) => until('an answer', () => parseReply(all(), ended), deadlineMs),
    async closed(deadlineMs = 10_000) {
      await until('the connection closes', () => ended, deadlineMs);
    },
    drop: () => void socket.destroy(),
  };
}

/** One request as text, its answer, and the end of the connection. */
export async function exchange(server: { readonly port: number }, head: string): Promise<Reply> {
  const wire = await openWire(server);
  wire.send(head);
  try {
    return await wire.reply();
  } finally {
    wire.drop();
  }
}

/** A request head with its empty line. */
export function headOf(
  requestLine: string,
  headers: Readonly<Record<string, string | undefined>>,
): string {
  const lines = Object.entries({ host: '127.0.0.1', ...headers })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}`);
  return `${requestLine} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

function parseReply(bytes: Buffer, ended: boolean): Reply | undefined {
  const text = bytes.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) {
    if (ended) throw new Error(`closed without an answer: ${JSON.stringify(text)}`);
    return undefined;
  }
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const statusCode = Number(statusLine.split(' ')[1]);
  const rest = bytes.subarray(end + 4);
  if (statusCode < 200) return parseReply(rest, ended);
  const headers = Object.fromEntries(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
  const body = bodyOf(rest, headers, ended);
  return body && replyOf({ statusCode, headers }, body);
}

function bodyOf(rest: Buffer, headers: Record<string, string>, ended: boolean): Buffer | undefined {
  if (headers['transfer-encoding'] === 'chunked') return dechunk(rest);
  const length = headers['content-length'];
  if (length === undefined) return ended ? rest : undefined;
  return rest.length >= Number(length) ? rest.subarray(0, Number(length)) : undefined;
}

function dechunk(bytes: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
    if (bytes.length < line + 2 + size + 2) return undefined;
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}
