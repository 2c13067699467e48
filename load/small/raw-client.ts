/**
 * A client that costs little: a socket each, one request on its way at a time, written as prepared bytes
 * and answered by counting. node:http's client would take more of the machine than the servers here.
 */
import { connect, type Socket } from 'node:net';

export interface RawRequest {
  readonly method: 'GET' | 'PUT' | 'HEAD';
  /** Absolute path and query, as they go out. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export interface Round {
  /** From the first request to the last answer. */
  readonly tookMs: number;
  /** Of each request, in no order. */
  readonly timesMs: readonly number[];
}

/** Sends `count` requests over `clients` sockets. Throws where an answer is not a 200. */
export async function runRequests(
  port: number,
  { clients, count }: { readonly clients: number; readonly count: number },
  requestAt: (index: number) => RawRequest,
): Promise<Round> {
  const timesMs: number[] = [];
  let next = 0;
  const began = performance.now();
  const one = async () => {
    const line = await openLine(port);
    try {
      while (next < count) {
        const request = requestAt(next);
        next += 1;
        const sent = performance.now();
        await line.ask(request);
        timesMs.push(performance.now() - sent);
      }
    } finally {
      line.close();
    }
  };
  await Promise.all(Array.from({ length: clients }, one));
  return { tookMs: performance.now() - began, timesMs };
}

interface Line {
  ask(request: RawRequest): Promise<void>;
  close(): void;
}

async function openLine(port: number): Promise<Line> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const answers = readAnswers(socket);
  return {
    ask(request) {
      const answered = answers.next(request.method === 'HEAD');
      const head = headOf(request);
      socket.write(request.body ? Buffer.concat([head, request.body]) : head);
      return answered;
    },
    close: () => socket.destroy(),
  };
}

function headOf({ method, target, headers = {}, body }: RawRequest): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = body ? `content-length: ${body.length}\r\n` : '';
  return Buffer.from(
    `${method} ${target} HTTP/1.1\r\nhost: 127.0.0.1\r\n${lines.join('')}${length}\r\n`,
  );
}

/** One answer at a time: its head as a whole, then as many bytes as it announced. */
function readAnswers(socket: Socket) {
  let pending: Buffer | undefined;
  let left = 0;
  let isHead = false;
  let resolve: () => void = () => {};
  let reject: (cause: Error) => void = () => {};
  const inHead = () => left === 0;
  socket.on('error', (cause) => reject(cause));
  socket.on('close', () => reject(new Error('the server closed the connection')));
  socket.on('data', (chunk: Buffer) => {
    if (!inHead()) {
      left -= chunk.length;
      if (left === 0) resolve();
      return;
    }
    const bytes = pending ? Buffer.concat([pending, chunk]) : chunk;
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) {
      pending = bytes;
      return;
    }
    pending = undefined;
    const head = bytes.toString('latin1', 0, end);
    if (!head.startsWith('HTTP/1.1 200 ')) {
      reject(new Error(bytes.toString('utf8', 0, 1000)));
      return;
    }
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
    left = isHead ? 0 : length - (bytes.length - end - 4);
    if (left === 0) resolve();
  });
  return {
    next(answersHead: boolean): Promise<void> {
      isHead = answersHead;
      return new Promise((done, fail) => {
        resolve = done;
        reject = fail;
      });
    },
  };
}
