/**
 * The yardstick for small objects and for 1 MiB: bare node:http, without tokens, names or hashes. A body
 * of at most 64 KiB is appended to one log by group commit, a write and an fdatasync for whatever waits,
 * and the first of a name is kept in a file for downloads; a larger one is written, synced and renamed.
 * A GET reads the whole file synchronously. The port is printed.
 */
import {
  closeSync,
  fdatasync,
  mkdirSync,
  openSync,
  readFileSync,
  write,
  writeFileSync,
} from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';

const folder = process.argv[2] ?? '';
mkdirSync(folder, { recursive: true });
const log = openSync(path.join(folder, 'log'), 'a');
const writeBytes = promisify(write);
const sync = promisify(fdatasync);
const smallBytes = 64 * 1024;
const kept = new Set<string>();

let waiting: { readonly bytes: Buffer; readonly done: () => void }[] = [];
let isWriting = false;
let counter = 0;

const server = createServer((request, response) => {
  const file = path.join(folder, path.basename(request.url ?? ''));
  const size = Number(request.headers['content-length']);
  if (request.method === 'GET') {
    const bytes = readFileSync(file);
    response.setHeader('content-length', bytes.length);
    response.end(bytes);
    return;
  }
  const work = size > smallBytes ? writeFile(request, file) : append(request, file);
  work.then(
    () => {
      response.setHeader('content-length', 2);
      response.end('{}');
    },
    (error: unknown) => {
      response.statusCode = 500;
      response.end(String(error));
    },
  );
});
server.requestTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  console.log(`port ${(server.address() as AddressInfo).port}`);
});
process.once('SIGTERM', () => {
  closeSync(log);
  process.exit(0);
});

async function append(request: IncomingMessage, file: string): Promise<void> {
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve) => {
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', resolve);
  });
  const bytes = Buffer.concat(chunks);
  if (!kept.has(file)) writeFileSync(file, bytes);
  kept.add(file);
  await new Promise<void>((done) => {
    waiting.push({ bytes, done });
    void commit();
  });
}

async function commit(): Promise<void> {
  if (isWriting) return;
  isWriting = true;
  while (waiting.length > 0) {
    const batch = waiting;
    waiting = [];
    const all = Buffer.concat(batch.map(({ bytes }) => bytes));
    await writeBytes(log, all, 0, all.length, null);
    await sync(log);
    for (const { done } of batch) done();
  }
  isWriting = false;
}

async function writeFile(request: IncomingMessage, file: string): Promise<void> {
  counter += 1;
  const temporary = `${file}.${counter}.tmp`;
  const handle = await open(temporary, 'wx');
  try {
    for await (const chunk of request) await handle.write(chunk as Buffer);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}
