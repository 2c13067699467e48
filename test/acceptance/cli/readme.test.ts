/**
 * The README's first session, run as a reader would: its ```sh blocks under "A first session" in
 * order, by bash, against a fresh server, with $TOKEN from the token command.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { aerostore } from '../support/cli.ts';
import { repository, startServer, temporaryFolder } from '../support/server.ts';

const readme = path.join(repository, 'README.md');

/** The ```sh blocks of the section, without those that install and start the server. */
function blocksOf(section: string): string[] {
  const text = existsSync(readme) ? readFileSync(readme, 'utf8') : '';
  const [, after = ''] = text.split(new RegExp(`^#+ ${section}.*$`, 'm'));
  const [body = ''] = after.split(/^#+ /m);
  const blocks = [...body.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, code = '']) => code);
  return blocks.filter((code) => !/\bnpm (ci|start|install)\b/.test(code));
}

const blocks = blocksOf('A first session');
if (blocks.length === 0) console.log('skipped: README.md has no ```sh block in "A first session"');

test.skipIf(blocks.length === 0)('the README’s first session works as it is printed', async () => {
  const server = await startServer();
  try {
    const { stdout } = await aerostore(['token', '--sub', 'alice', '--expires', '1h']);
    const script = blocks.join('\n').replaceAll('8787', String(server.port));
    const folder = temporaryFolder();
    // A curl that is refused must not pass for one that worked: fail on 4xx and 5xx.
    const strict = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\n';
    const result = spawnSync('bash', ['-c', strict + script], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 60_000,
      env: { PATH: process.env.PATH, HOME: folder, TOKEN: stdout.trim() },
    });
    expect(result.status, `${script}\n${result.stdout}\n${result.stderr}`).toBe(0);
    expect(script).toMatch(/curl/);
  } finally {
    await server.kill();
  }
});

test('bash and curl are there to try it', () => {
  expect(execFileSync('curl', ['--version'], { encoding: 'utf8' })).toMatch(/^curl /);
});
