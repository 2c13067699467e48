/** Uses of signed URLs while something else happens between the reads that decide them. */
import { beforeEach, expect, test } from 'vitest';
import { ViewsStore } from '../../src/views/store.ts';
import { forgetfulViews } from '../support/forgetful-views.ts';
import { createBucket, key, makeRig, put, type Rig, user } from '../support/rig.ts';
import { downloadSigned, uploadSigned } from '../support/signed.ts';

const alice = user('alice');
const at = key('b', 'a');
const before = Buffer.from('before');
let rig: Rig;

beforeEach(async () => {
  const views = forgetfulViews();
  rig = makeRig({
    views: { ...views, openStore: async (how) => pausing(await views.openStore(how)) },
  });
  await rig.open();
  await createBucket(rig, alice, 'b');
  await put(rig, alice, { ...at, bytes: before });
});

/** Done once, when a use has read what was revoked and has not gone on yet. */
let meanwhile: (() => Promise<unknown>) | undefined;

function pausing(store: ViewsStore): ViewsStore {
  const snapshot: ViewsStore['snapshot'] = () => {
    const taken = ViewsStore.prototype.snapshot.call(store);
    const close = taken.close.bind(taken);
    return Object.assign(taken, {
      async close() {
        await close();
        const act = meanwhile;
        meanwhile = undefined;
        await act?.();
      },
    });
  };
  return Object.assign(store, { snapshot });
}

test('who does not see a revocation sees nothing that came after it', async () => {
  const { signedUrls } = rig.store.service;
  const signed = await signedUrls.signDownload(alice, at, { once: false, version: null });
  if (!signed.ok) throw new Error(signed.rejection.code);
  meanwhile = async () => {
    await signedUrls.revoke(alice, at);
    await put(rig, alice, { ...at, bytes: Buffer.from('not for them') });
  };
  const found = await downloadSigned(rig, signed.value.token, at);
  expect(found.ok && found.value.toString()).toBe('before');
  expect((await downloadSigned(rig, signed.value.token, at)).ok).toBe(false);
});

test('a repeat that overtakes its first is answered as it, not refused for its use', async () => {
  const { signedUrls } = rig.store.service;
  const terms = { once: true, upsert: true, contentType: null, maxBytes: null };
  const signed = await signedUrls.signUpload(alice, at, terms);
  if (!signed.ok) throw new Error(signed.rejection.code);
  const { token } = signed.value;
  const idempotency = { key: 'k', request_hash: 'h' };
  const upload = () => uploadSigned(rig, token, { ...at, bytes: before, idempotency });
  let first: Awaited<ReturnType<typeof upload>> | undefined;
  meanwhile = async () => {
    first = await upload();
  };
  const repeat = await upload();
  if (!first?.ok || !repeat.ok) throw new Error('a use was refused');
  expect(repeat.value).toEqual(first.value);
});
