/**
 * Debian's chromium under playwright-core, with a profile of its own. What its pages do wrong is
 * kept: errors of scripts, violations of a content security policy, requests to other hosts. None of
 * these reaches a host: no name resolves but the loopback's.
 */
import { existsSync } from 'node:fs';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { temporaryFolder } from '../support/server.ts';

const executable = '/usr/bin/chromium';

export const hasChromium = existsSync(executable);

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
];

export interface Browser {
  /** A page, and what goes wrong on it as it happens. */
  open(url: string): Promise<Opened>;
  close(): Promise<void>;
}

export interface Opened {
  readonly page: Page;
  readonly problems: readonly string[];
}

export async function startBrowser(): Promise<Browser> {
  const context = await chromium.launchPersistentContext(temporaryFolder(), {
    executablePath: executable,
    args: flags,
    timeout: 50_000,
  });
  context.setDefaultTimeout(30_000);
  return {
    open: (url) => openIn(context, url),
    close: () => context.close(),
  };
}

async function openIn(context: BrowserContext, url: string): Promise<Opened> {
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(`script: ${error.message}`));
  // Among them the browser's own: violations of a policy, refused requests.
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (/^(http|ws)s?:$/.test(protocol) && hostname !== '127.0.0.1') {
      problems.push(`another host: ${request.url()}`);
    }
  });
  await page.goto(url);
  return { page, problems };
}
