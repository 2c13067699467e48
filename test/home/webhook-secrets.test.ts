/** The secrets of webhooks: durable before they are named, for their owner's eyes only, never told. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { nodeFiles } from '#files';
import { KeyRefused } from '../../src/home/errors.ts';
import { layoutOf } from '../../src/home/layout.ts';
import { openWebhookSecrets } from '../../src/home/webhook-secrets.ts';
import { random } from '../../src/world.ts';
import { temporaryDirectory } from '../support/temporary.ts';

async function place() {
  const layout = layoutOf(await temporaryDirectory());
  return { layout, open: () => openWebhookSecrets({ files: nodeFiles, layout, random }) };
}

test('a secret is found under its id by whoever opens the file, in the order asked', async () => {
  const { open } = await place();
  const [one, two] = [await open().make(), await open().make()];
  expect(one.text).toMatch(/^whsec_/);
  expect(Buffer.from(one.text.slice(6), 'base64')).toHaveLength(32);
  expect(await open().read([two.id, 'none', one.id, 'constructor'])).toEqual([two, one]);
});

test('secrets that are made at once are all kept', async () => {
  const { open } = await place();
  const [here, there] = [open(), open()];
  const made = await Promise.all([here.make(), there.make(), here.make(), there.make()]);
  expect(await here.read(made.map(({ id }) => id))).toEqual(made);
});

test('the file is for its owner only, and what is forgotten is not in it any more', async () => {
  const { layout, open } = await place();
  const secrets = open();
  const [one, two, three] = [await secrets.make(), await secrets.make(), await secrets.make()];
  expect((await stat(layout.webhookSecretsFile)).mode & 0o777).toBe(0o600);
  await secrets.forget([one.id, 'none']);
  await secrets.keepOnly(new Set([two.id]));
  const text = await readFile(layout.webhookSecretsFile, 'utf8');
  expect([one, two, three].map((made) => text.includes(made.text))).toEqual([false, true, false]);
});

test('a file that is none of ours is refused without a word of what is in it', async () => {
  const { layout, open } = await place();
  const { text } = await open().make();
  for (const content of [`${text}`, `{"secrets":{"x":"${text}"}}`, '{"secrets":[1]}']) {
    await writeFile(layout.webhookSecretsFile, content);
    const refused = await open()
      .read(['x'])
      .catch((fault: unknown) => fault);
    expect(refused).toBeInstanceOf(KeyRefused);
    expect(inspect(refused)).not.toContain(text.slice(6, 20));
  }
});
