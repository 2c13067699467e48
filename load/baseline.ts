/**
 * The yardstick: a bare node:http server that writes, fsyncs and renames what it is sent, and serves
 * files. No tokens, no hashes, no log: what the same disk and the same runtime can do at most.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { createReadStream, mkdirSync } from 'node:fs';
import { type FileHandle, open, readdir, rename, stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

const folder = process.argv[2] ?? '';
mkdirSync(folder, { recursive: true });
const key = randomBytes(32);
let counter = 0;

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    response.statusCode = 500;
    response.end(String(error));
  });
});
server.requestTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  console.log(`port ${(server.address() as AddressInfo).port}`);
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, action = '', name = ''] = (request.url ?? '').split('/');
  const file = path.join(folder, encodeURIComponent(name));
  if (request.method === 'PUT') {
    await store(request, file);
    response.end('{}');
  } else if (action === 'stat') {
    const { size, mtime } = await stat(file);
    response.end(JSON.stringify({ name, size, mtime }));
  } else if (action === 'sign') {
    await stat(file);
    const signature = createHmac('sha256', key).update(file).digest('base64url');
    response.end(JSON.stringify({ name, signature }));
  } else if (action === 'list') {
    response.end(JSON.stringify(await listing(name)));
  } else {
    const { size } = await stat(file);
    response.setHeader('content-length', size);
    createReadStream(file, { highWaterMark: 256 * 1024 }).pipe(response);
  }
}

async function store(request: IncomingMessage, file: string): Promise<void> {
  counter += 1;
  const temporary = `${file}.${counter}.tmp`;
  const handle: FileHandle = await open(temporary, 'wx');
  try {
    for await (const chunk of request) await handle.write(chunk as Buffer);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}

/** The first thousand names of a prefix, each with its size, as a list of objects would have them. */
async function listing(prefix: string): Promise<unknown[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith(prefix)).toSorted();
  const page = names.slice(0, 1000);
  return Promise.all(
    page.map(async (name) => ({ name, size: (await stat(path.join(folder, name))).size })),
  );
}
