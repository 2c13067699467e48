/** The built package as its users have it: `aerostore/client`, imported by name, in plain Node. */
import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { repository, type Server, startServer, temporaryFolder } from '../support/server.ts';
import { user } from '../support/tokens.ts';

let server: Server;

beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const program = `
import { AerostoreError, createClient } from 'aerostore/client';
const [url, token] = process.argv.slice(2);
const store = createClient({ url, token });
await store.buckets.create('photos');
const photos = store.bucket('photos');
const steps = [];
await photos.upload('a/ä.txt', new Blob(['hello']), {
  contentType: 'text/plain',
  metadata: { project: 'x' },
  onProgress: ({ sentBytes }) => steps.push(sentBytes),
});
const text = await (await photos.download('a/ä.txt')).text();
const listed = [];
for await (const one of photos.list()) listed.push(one.object.path);
const queried = [];
for await (const row of store.query.objects({ where: { 'metadata->>project': 'eq.x' } })) {
  queried.push(row.path);
}
const { url: signed } = await photos.signedUrls.download('a/ä.txt');
const bySignature = await (await fetch(signed)).text();
const refused = await photos.download('none').catch((error) => error);
console.log(JSON.stringify({
  text, listed, queried, bySignature, last: steps.at(-1),
  code: refused instanceof AerostoreError && refused.code,
}));
`;

test('a program of another package uploads, reads, lists, queries and signs', async () => {
  const folder = temporaryFolder();
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(repository, path.join(folder, 'node_modules', 'aerostore'));
  const file = path.join(folder, 'program.mjs');
  writeFileSync(file, program);
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, [file, server.url, user('ann')]);
  expect(JSON.parse(stdout)).toEqual({
    text: 'hello',
    listed: ['a/ä.txt'],
    queried: ['a/ä.txt'],
    bySignature: 'hello',
    last: 5,
    code: 'NoSuchKey',
  });
});
