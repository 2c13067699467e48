/**
 * Bare servers to compare with: node:http and the disk, nothing else. No tokens, no metadata, no
 * recovery. `files` makes a file per object: write, fsync, rename. `append` writes what waits with one
 * writev into one file and syncs once for all of it. Both answer when the bytes are durable; a read is
 * one synchronous call, and `hash` sends it through BLAKE3 first. Arguments: folder, kind, hash or not.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Blake3Hasher } from '@napi-rs/blake-hash';

interface Bytes {
  put(name: string, body: IncomingMessage): Promise<void>;
  get(name: string): Buffer;
}

const [folder = '', kind = 'files', hashed = ''] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const bytes: Bytes = kind === 'append' ? await appended(path.join(folder, 'all')) : files();

const server = createServer((request, response) => {
  const name = encodeURIComponent(request.url ?? '');
  if (request.method === 'PUT') {
    bytes.put(name, request).then(
      () => response.end('{}'),
      (fault: unknown) => response.writeHead(500).end(String(fault)),
    );
    return;
  }
  const found = bytes.get(name);
  if (hashed === 'hash') response.setHeader('etag', new Blake3Hasher().update(found).digest('hex'));
  response.setHeader('content-length', found.length);
  response.end(found);
});
server.requestTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  console.log(`port ${(server.address() as AddressInfo).port}`);
});

function files(): Bytes {
  let counter = 0;
  return {
    async put(name, body) {
      counter += 1;
      const file = path.join(folder, name);
      const temporary = `${file}.${counter}`;
      const handle: FileHandle = await open(temporary, 'wx');
      try {
        for await (const chunk of body) await handle.write(chunk as Buffer);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    },
    get(name) {
      const descriptor = openSync(path.join(folder, name), 'r');
      try {
        return readWhole(descriptor, { start: 0, length: fstatSync(descriptor).size });
      } finally {
        closeSync(descriptor);
      }
    },
  };
}

interface Span {
  readonly start: number;
  readonly length: number;
}

interface Waiting {
  readonly name: string;
  readonly chunks: Buffer[];
  resolve(): void;
  reject(fault: unknown): void;
}

async function appended(file: string): Promise<Bytes> {
  const handle = await open(file, 'a+');
  const places = new Map<string, Span>();
  let end = 0;
  let waiting: Waiting[] = [];
  let isWriting = false;

  async function writeAll(): Promise<void> {
    isWriting = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await handle.writev(batch.flatMap(({ chunks }) => chunks));
        await handle.datasync();
      } catch (fault) {
        for (const { reject } of batch) reject(fault);
        continue;
      }
      for (const { name, chunks, resolve } of batch) {
        const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
        places.set(name, { start: end, length });
        end += length;
        resolve();
      }
    }
    isWriting = false;
  }

  return {
    async put(name, body) {
      const chunks: Buffer[] = [];
      for await (const chunk of body) chunks.push(chunk as Buffer);
      await new Promise<void>((resolve, reject) => {
        waiting.push({ name, chunks, resolve, reject });
        if (!isWriting) void writeAll();
      });
    },
    get: (name) => readWhole(handle.fd, places.get(name) ?? { start: 0, length: 0 }),
  };
}

function readWhole(descriptor: number, { start, length }: Span): Buffer {
  const target = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) done += readSync(descriptor, target, done, length - done, start + done);
  return target;
}
