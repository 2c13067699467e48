/** Events in a real browser: its own EventSource and WebSocket, which can set no header. */
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Server, startServer } from '../support/server.ts';
import { makeBucket, put } from '../support/store.ts';
import { user } from '../support/tokens.ts';
import { type Browser, hasChromium, startBrowser } from './chromium.ts';

const alice = user('alice');

if (!hasChromium) console.log('skipped: there is no /usr/bin/chromium (Debian: chromium)');

describe.skipIf(!hasChromium)('in chromium', () => {
  let server: Server;
  let application: HttpServer;
  let origin: string;
  let browser: Browser;

  beforeAll(async () => {
    application = createServer((_, outgoing) => {
      outgoing.setHeader('content-type', 'text/html');
      outgoing.end('<!doctype html><link rel="icon" href="data:,"><title>events</title>');
    });
    await new Promise<void>((resolve) => application.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(application.address() as AddressInfo).port}`;
    [server, browser] = await Promise.all([startServer(), startBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    application?.closeAllConnections();
    application?.close();
  });

  test.each(['EventSource', 'WebSocket'] as const)(
    'a page of another origin hears by %s, with a token for one connection',
    async (kind) => {
      const bucket = await makeBucket(server);
      await put(server, `${bucket}/1`, { token: alice, body: 'x' });
      const { page, problems } = await browser.open(origin);
      const hearing = page.evaluate(
        async ({ url, login, name, kind: how }) => {
          const made = await fetch(`${url}/storage/v1/events/token`, {
            method: 'POST',
            headers: { authorization: `Bearer ${login}`, 'content-type': 'application/json' },
            body: JSON.stringify({ bucket: name }),
          });
          const { token } = (await made.json()) as { token: string };
          const at = `${url}/storage/v1/events?from=beginning&token=${token}`;
          const source =
            how === 'EventSource' ? new EventSource(at) : new WebSocket(at.replace('http', 'ws'));
          const paths: (string | null)[] = [];
          await new Promise<void>((resolve, reject) => {
            source.onerror = () => reject(new Error('the connection failed'));
            source.onmessage = ({ data }: { readonly data: unknown }) => {
              const { type, path } = JSON.parse(String(data)) as {
                type: string;
                path: string | null;
              };
              if (type.startsWith('storage.')) paths.push(path);
              if (path === '2') resolve();
            };
          });
          source.close();
          // It was for one connection.
          const again = await fetch(at);
          return { paths, again: again.status };
        },
        { url: server.url, login: alice, name: bucket, kind },
      );
      // Whether it is heard live or caught up with is all the same.
      await put(server, `${bucket}/2`, { token: alice, body: 'x' });
      expect(await hearing).toEqual({ paths: [null, '1', '2'], again: 401 });
      expect(problems.filter((problem) => !problem.includes('401'))).toEqual([]);
    },
  );
});
