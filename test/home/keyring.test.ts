import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { nodeFiles } from '#files';
import { KeyRefused } from '../../src/home/errors.ts';
import { readLoginSecret, readOrCreateLoginSecret } from '../../src/home/keyring.ts';
import { type Layout, layoutOf } from '../../src/home/layout.ts';
import { patterned } from '../support/bodies.ts';
import { temporaryDirectory } from '../support/temporary.ts';

async function emptyLayout(): Promise<Layout> {
  return layoutOf(await temporaryDirectory());
}

describe('the login secret', () => {
  test('is made once and read ever after', async () => {
    const layout = await emptyLayout();
    expect(await readLoginSecret(nodeFiles, layout)).toBeUndefined();
    const first = await readOrCreateLoginSecret(nodeFiles, layout, patterned);
    expect(first).toEqual({ secret: patterned(32), created: true });
    const second = await readOrCreateLoginSecret(nodeFiles, layout, () => patterned(32, 9));
    expect(second.created).toBe(false);
    expect(Buffer.from(second.secret)).toEqual(Buffer.from(first.secret));
  });

  test('is for its owner only: file 0600, folder 0700', async () => {
    const layout = await emptyLayout();
    await readOrCreateLoginSecret(nodeFiles, layout, patterned);
    expect((await stat(layout.loginSecretFile)).mode & 0o777).toBe(0o600);
    expect((await stat(layout.keys)).mode & 0o777).toBe(0o700);
    expect(await readFile(layout.loginSecretFile, 'utf8')).toMatch(/^[A-Za-z0-9_-]{43}\n$/);
  });

  test.each([
    ['empty', ''],
    ['too short', Buffer.from(patterned(31)).toString('base64url')],
    ['not base64url', `${'secret words '.repeat(5)}!`],
  ])('is refused when %s, and neither replaced nor told', async (_, text) => {
    const layout = await emptyLayout();
    await mkdir(layout.keys);
    await writeFile(layout.loginSecretFile, text);
    const refusal = await readOrCreateLoginSecret(nodeFiles, layout, patterned).catch(
      (cause: unknown) => cause,
    );
    expect(refusal).toBeInstanceOf(KeyRefused);
    expect(String(refusal)).toContain(layout.loginSecretFile);
    if (text) expect(String(refusal)).not.toContain(text);
    expect(await readFile(layout.loginSecretFile, 'utf8')).toBe(text);
  });
});
