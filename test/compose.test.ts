/** A start that fails half way lets go of everything: the next one finds the directory free. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Output, StartRefused, serve } from '../src/compose.ts';
import { type Config, parseConfig } from '../src/config.ts';
import { temporaryDirectory } from './support/temporary.ts';

const quietly: Output = { write: () => {}, isTty: true };

async function config(more: Record<string, string> = {}): Promise<Config> {
  const parsed = parseConfig({
    AEROSTORE_DATA_DIR: await temporaryDirectory(),
    AEROSTORE_PORT: '0',
    AEROSTORE_LOG_LEVEL: 'silent',
    ...more,
  });
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return parsed.config;
}

describe('a start that fails', () => {
  test('after the store is open closes it, too', async () => {
    const settings = await config();
    const failing: Output = {
      ...quietly,
      write() {
        throw new Error('nobody reads this');
      },
    };
    await expect(serve(settings, failing)).rejects.toThrow('nobody reads this');
    // LevelDB opens a folder once in a process.
    const running = await serve(settings, quietly);
    await running.stop();
    expect(await running.closed).toBe(0);
  });

  test.each([
    ['null', 'null'],
    ['no keys', '{}'],
    ['text', 'my-secret-text'],
    ['keys of no kind', '{"keys":[{"kid":"a"}]}'],
    ['a short secret', '{"keys":[{"kty":"oct","kid":"a","k":"c2hvcnQ"}]}'],
  ])('for a key set of %s says so, and nothing of what is in it', async (_name, text) => {
    const file = join(await temporaryDirectory(), 'jwks.json');
    await writeFile(file, text);
    const settings = await config({ AEROSTORE_JWKS_FILE: file });
    const refused = await serve(settings, quietly).catch((fault: unknown) => fault);
    expect(refused).toBeInstanceOf(StartRefused);
    expect(inspect(refused)).not.toMatch(/my-secret|c2hvcnQ/);
  });
});
