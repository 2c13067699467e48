/** Steps with signed URLs: what was used up or revoked, and acknowledged, stays so after any stop. */
import type { Result } from '../../src/domain/result.ts';
import type { Signed } from '../../src/service/signed-urls/signed-urls.ts';
import { key, type Rig, user } from '../support/rig.ts';
import { downloadSigned, uploadSigned } from '../support/signed.ts';
import { digestOf, type Expected, type Oracle } from './oracle.ts';

const alice = user('alice');
const read = key('b', 'a');
const written = key('b', 'signed');

export interface SignedSteps {
  /** Signs what the others use; `b/a` is there, `b/signed` is free. */
  sign(): Promise<void>;
  downloadOnce(): Promise<void>;
  uploadOnce(bytes: Uint8Array): Promise<void>;
  revokeToken(): Promise<void>;
  revokeBucket(): Promise<void>;
}

interface Tokens {
  readonly once: string;
  readonly upload: string;
  readonly revoked: string;
  readonly bystander: string;
}

const signed = new WeakMap<Rig, Tokens>();

export function signedSteps(rig: Rig, oracle: Oracle): SignedSteps {
  const urls = () => rig.store.service.signedUrls;
  const tokens = () => {
    const found = signed.get(rig);
    if (!found) throw new Error('the scenario has not signed anything');
    return found;
  };
  /** Changes no object; a refusal promises nothing. */
  const acknowledged = async (
    act: () => Promise<Result<unknown>>,
    [what, holds]: Parameters<Oracle['promise']>,
  ) => {
    const before = oracle.acknowledged;
    await oracle.attempt(act, () => undefined);
    if (oracle.acknowledged > before) oracle.promise(what, holds);
  };
  return {
    async sign() {
      const download = async (once: boolean) =>
        tokenOf(await urls().signDownload(alice, read, { once, version: null }));
      const terms = { once: true, upsert: true, contentType: null, maxBytes: null };
      signed.set(rig, {
        once: await download(true),
        upload: tokenOf(await urls().signUpload(alice, written, terms)),
        revoked: await download(false),
        bystander: await download(false),
      });
    },
    async downloadOnce() {
      const { once } = tokens();
      await acknowledged(
        () => downloadSigned(rig, once, read),
        ['the use is made', async (now) => !(await downloadSigned(now, once, read)).ok],
      );
    },
    async uploadOnce(bytes) {
      const { upload } = tokens();
      const change = (state: Expected) => void state.get('b')?.set('signed', digestOf(bytes));
      // Whether it was acknowledged or not: the object is there exactly where the use was made.
      oracle.promise('the use is made exactly where the object is there', async (now) => {
        const { objects, signedUrls } = now.store.service;
        const isThere = (await objects.read(alice, written)).ok;
        const claims = await signedUrls.verify(upload);
        if (!claims.ok) return false;
        const presented = { claims: claims.value, key: written, requestId: 'look' };
        return isThere !== (await signedUrls.upload(presented)).ok;
      });
      await oracle.attempt(() => uploadSigned(rig, upload, { ...written, bytes }), change);
    },
    async revokeToken() {
      const { revoked, bystander } = tokens();
      const holds = async (now: Rig) => {
        const gone = await downloadSigned(now, revoked, read);
        return !gone.ok && (await downloadSigned(now, bystander, read)).ok;
      };
      await acknowledged(
        () => urls().revoke(alice, { token: revoked }),
        ['the token is revoked, and it alone', holds],
      );
    },
    async revokeBucket() {
      const { bucket } = read;
      const { bystander } = tokens();
      await acknowledged(
        () => urls().revoke(alice, { bucket, path: null }),
        ['all is revoked', async (now) => !(await downloadSigned(now, bystander, read)).ok],
      );
    },
  };
}

function tokenOf(result: Result<Signed>): string {
  if (!result.ok) throw new Error(result.rejection.code);
  return result.value.token;
}
