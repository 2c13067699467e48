/** What an application on another origin does in a real browser, and what a person sees at /docs. */
import { readFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../support/client.ts';
import { type Server, startServer } from '../support/server.ts';
import { sign, signUpload } from '../support/signed.ts';
import { fresh, makeBucket } from '../support/store.ts';
import { user } from '../support/tokens.ts';
import { type Browser, hasChromium, startBrowser } from './chromium.ts';

const alice = user('alice');
/** 24 × 16 pixels. */
const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAABgAAAAQCAIAAACDRijCAAAAGklEQVR42mOQm/CfKohh1KBRg0YNGjWIMgQABQWDn5mfbfUAAAAASUVORK5CYII=',
  'base64',
);

if (!hasChromium) console.log('skipped: there is no /usr/bin/chromium (Debian: chromium)');

describe.skipIf(!hasChromium)('in chromium', () => {
  let server: Server;
  let application: HttpServer;
  let origin: string;
  let browser: Browser;

  beforeAll(async () => {
    application = await serveApplication();
    origin = `http://127.0.0.1:${(application.address() as AddressInfo).port}`;
    [server, browser] = await Promise.all([startServer(), startBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    application?.closeAllConnections();
    application?.close();
  });

  test('a page of another origin uploads by a signed URL and shows the image by another', async () => {
    const place = `${await makeBucket(server)}/photos/${fresh('sky')}.png`;
    const upload = await signUpload(server, place, { token: alice });
    const { page, problems } = await browser.open(origin);
    await chooseFile(page);
    const { status, position, body } = JSON.parse(await press(page, '#put', upload.signed_url));
    expect({ status, position: Number(position) > 0, body }).toEqual({
      status: 200,
      position: true,
      body: expect.objectContaining({
        Key: place,
        size: png.length,
        content_type: 'image/png',
        owner_id: 'alice',
        metadata: { from: 'a browser' },
      }),
    });
    const { url } = await sign(server, place, { token: alice });
    expect(await press(page, '#show', url)).toBe('24 × 16');
    expect(problems).toEqual([]);
    expect(await press(page, '#show', url.replace('token=', 'token=x'))).toBe('no image');
  });

  test('a form is posted with its fields and its file', async () => {
    const place = `${await makeBucket(server)}/${fresh('form')}.png`;
    const { page, problems } = await browser.open(origin);
    await chooseFile(page);
    await page.fill('#token', alice);
    const url = `${server.url}/storage/v1/object/${place}`;
    const { status, body } = JSON.parse(await press(page, 'form button', url));
    expect({ status, body }).toEqual({
      status: 200,
      body: expect.objectContaining({
        Key: place,
        content_type: 'image/png',
        cache_control: 'max-age=60',
        metadata: { from: 'a form' },
      }),
    });
    const stored = await ask(server, `/object/${place}`, { token: alice });
    expect(stored.bytes.equals(png)).toBe(true);
    expect(problems).toEqual([]);
  });

  test('a page whose origin is not allowed writes nothing, not even by a signed URL', async () => {
    const strict = await startServer({ env: { AEROSTORE_CORS_ORIGINS: 'http://127.0.0.1:1' } });
    try {
      const place = `${await makeBucket(strict)}/${fresh('refused')}.png`;
      const upload = await signUpload(strict, place, { token: alice });
      const { page, problems } = await browser.open(origin);
      await chooseFile(page);
      expect(await press(page, '#put', upload.signed_url)).toBe('TypeError');
      expect(problems.join('\n')).toContain('blocked by CORS policy');
      expect((await ask(strict, `/object/${place}`, { token: alice })).status).toBe(404);
    } finally {
      await strict.stop();
    }
  });

  test('/docs shows every operation, within its policy and from its own host', async () => {
    const document = (await ask(server, '@/openapi.json')).json() as {
      paths: Record<string, Record<string, unknown>>;
    };
    const verb = /^(get|head|put|post|patch|delete|options)$/;
    const operations = Object.values(document.paths)
      .flatMap((methods) => Object.keys(methods))
      .filter((name) => verb.test(name));
    expect(operations.length).toBeGreaterThan(30);
    const { page, problems } = await browser.open(`${server.url}/docs`);
    await page.waitForSelector('.opblock');
    expect(await page.locator('.opblock').count()).toBe(operations.length);
    // An opened operation draws what a closed one does not: parameters, examples, schemas.
    await page.locator('.opblock-post .opblock-summary-control').first().click();
    await page.waitForSelector('.opblock-body .responses-wrapper');
    expect(problems).toEqual([]);
  });
});

async function serveApplication(): Promise<HttpServer> {
  const html = readFileSync(new URL('application.html', import.meta.url));
  const serving = createServer((_, response) => {
    response.setHeader('content-type', 'text/html; charset=utf-8').end(html);
  });
  await new Promise<void>((resolve) => {
    serving.listen(0, '127.0.0.1', resolve);
  });
  return serving;
}

async function chooseFile(page: Page): Promise<void> {
  const file = { name: 'sky.png', mimeType: 'image/png', buffer: png };
  await page.setInputFiles('input[type=file]', file);
}

/** Gives the page a URL, presses a button, and answers what the page tells then. */
async function press(page: Page, button: string, url: string): Promise<string> {
  await page.fill('#url', url);
  await page.click(button);
  return (await page.locator('output:not(:empty)').textContent()) ?? '';
}
