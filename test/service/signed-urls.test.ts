/** Signed URLs on a whole store: scope, one use under concurrency, revocation, and what a stop leaves. */
import { beforeEach, describe, expect, test } from 'vitest';
import type { BucketName, ObjectPath } from '../../src/domain/names.ts';
import type { Result } from '../../src/domain/result.ts';
import type { Call } from '../../src/service/service.ts';
import type {
  DownloadTerms,
  Signed,
  UploadTerms,
} from '../../src/service/signed-urls/signed-urls.ts';
import { createBucket, get, key, openRig, put, type Rig, service, user } from '../support/rig.ts';
import { downloadSigned, uploadSigned } from '../support/signed.ts';

const alice = user('alice');
const bob = user('bob');
const bytes = Buffer.from('what was put there');
let rig: Rig;

beforeEach(async () => {
  rig = await openRig();
  await createBucket(rig, alice, 'b');
  await createBucket(rig, alice, 'open', {
    policy: 'authenticated',
    write_policy: 'authenticated',
  });
  await put(rig, alice, { bucket: 'b', path: 'a', bytes });
});

const urls = () => rig.store.service.signedUrls;

async function download(terms: Partial<DownloadTerms> & { call?: Call; at?: string } = {}) {
  const { call = alice, at = 'a', ...more } = terms;
  return must(
    await urls().signDownload(call, key('b', at), { once: false, version: null, ...more }),
  );
}

async function upload(
  terms: Partial<UploadTerms> & { call?: Call; bucket?: string; at?: string } = {},
) {
  const { call = alice, bucket = 'b', at = 'new', ...more } = terms;
  const usual = { once: false, upsert: false, contentType: null, maxBytes: null };
  return must(await urls().signUpload(call, key(bucket, at), { ...usual, ...more }));
}

function must<T>(result: Result<T>): T {
  if (!result.ok) throw new Error(`${result.rejection.code}: ${result.rejection.message}`);
  return result.value;
}

const codeOf = (result: Result<unknown>) => (result.ok ? 'ok' : result.rejection.code);

/** The bytes, or the code of the refusal. */
async function use({ token }: Pick<Signed, 'token'>, at = key('b', 'a')): Promise<string> {
  const found = await downloadSigned(rig, token, at);
  return found.ok ? found.value.toString() : found.rejection.code;
}

interface Filling {
  readonly bucket?: string;
  readonly at?: string;
  readonly type?: string;
  readonly body?: Buffer;
}

/** Whose it became, or the code of the refusal. */
async function fill({ token }: Pick<Signed, 'token'>, filling: Filling = {}): Promise<string> {
  const { bucket = 'b', at = 'new', type: contentType = 'text/plain', body = bytes } = filling;
  const stored = await uploadSigned(rig, token, { ...key(bucket, at), contentType, bytes: body });
  return stored.ok ? `by ${stored.value.object.owner_id}` : stored.rejection.code;
}

const shown = bytes.toString();

describe('a download', () => {
  test('is what its issuer may read, for one path, in its time', async () => {
    const signed = await download({ validMs: 60_000 });
    expect(await use(signed)).toBe(shown);
    await put(rig, alice, { bucket: 'b', path: 'a2', bytes });
    expect(await use(signed, key('b', 'a2'))).toBe('InvalidSignature');
    rig.advance(60_000);
    expect(await use(signed)).toBe('SignatureExpired');
  });

  test('is signed by who may read it', async () => {
    const terms = { once: false, version: null };
    expect(codeOf(await urls().signDownload(bob, key('b', 'a'), terms))).toBe('NoSuchBucket');
    expect(codeOf(await urls().signDownload(bob, key('nowhere', 'a'), terms))).toBe('NoSuchBucket');
    expect(codeOf(await urls().signDownload(alice, key('b', 'x'), terms))).toBe('NoSuchKey');
    expect(codeOf(await urls().signDownload(service, key('b', 'a'), terms))).toBe('ok');
  });

  test('for longer than allowed is refused, naming the maximum', async () => {
    const validMs = 7 * 24 * 3_600_000 + 1;
    const refused = await urls().signDownload(alice, key('b', 'a'), {
      once: false,
      version: null,
      validMs,
    });
    expect(refused).toMatchObject({
      rejection: { code: 'InvalidRequest', message: '"expiresIn" must be at most 604800 seconds' },
    });
  });

  test('follows its issuer: closed to them, it is closed; opened again, it is open', async () => {
    await put(rig, alice, { bucket: 'open', path: 'a', bytes });
    const { token } = must(
      await urls().signDownload(bob, key('open', 'a'), { once: false, version: null }),
    );
    expect(await use({ token }, key('open', 'a'))).toBe(shown);
    const policy = (policy: 'private' | 'authenticated') =>
      rig.store.service.buckets.update(alice, 'open' as BucketName, { policy });
    await policy('private');
    expect(await use({ token }, key('open', 'a'))).toBe('InvalidSignature');
    await policy('authenticated');
    expect(await use({ token }, key('open', 'a'))).toBe(shown);
  });

  test('of a bucket that was made again is void; of a deleted object it finds nothing', async () => {
    const signed = await download();
    await rig.store.service.objects.remove(alice, key('b', 'a'));
    expect(await use(signed)).toBe('NoSuchKey');
    await rig.store.service.buckets.remove(alice, 'b' as BucketName, { force: true });
    expect(await use(signed)).toBe('InvalidSignature');
    await createBucket(rig, alice, 'b');
    await put(rig, alice, { bucket: 'b', path: 'a', bytes });
    expect(await use(signed)).toBe('InvalidSignature');
  });

  test('of a pinned version is void once the object is overwritten', async () => {
    const found = must(await rig.store.service.objects.read(alice, key('b', 'a')));
    const { version } = found.object;
    const pinned = await download({ version });
    const any = await download();
    expect(await use(pinned)).toBe(shown);
    await put(rig, alice, { bucket: 'b', path: 'a', bytes: Buffer.from('new') });
    expect(await use(pinned)).toBe('InvalidSignature');
    expect(await use(any)).toBe('new');
    const again = await urls().signDownload(alice, key('b', 'a'), { once: false, version });
    expect(codeOf(again)).toBe('InvalidRequest');
  });
});

describe('one use', () => {
  test('of a hundred at once, one download succeeds', async () => {
    const signed = await download({ once: true });
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => use(signed)));
    expect(outcomes.filter((outcome) => outcome === shown)).toHaveLength(1);
    expect(new Set(outcomes)).toEqual(new Set([shown, 'InvalidSignature']));
  });

  test('of a hundred at once, one upload succeeds', async () => {
    const signed = await upload({ once: true, upsert: true });
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, index) => fill(signed, { body: Buffer.from(`${index}`) })),
    );
    expect(outcomes.filter((outcome) => outcome === 'by alice')).toHaveLength(1);
    expect(new Set(outcomes)).toEqual(new Set(['by alice', 'InvalidSignature']));
    const winner = outcomes.indexOf('by alice');
    expect(String(await get(rig, alice, { bucket: 'b', path: 'new' }))).toBe(`${winner}`);
  });

  test('is not made by looking without opening', async () => {
    const signed = await download({ once: true });
    for (let look = 0; look < 3; look += 1) {
      expect(
        codeOf(await urls().read({ claims: signed.claims, key: key('b', 'a'), requestId: 'head' })),
      ).toBe('ok');
    }
    expect(await use(signed)).toBe(shown);
    expect(await use(signed)).toBe('InvalidSignature');
  });

  test('is not made by a refused upload', async () => {
    const signed = await upload({ once: true, maxBytes: 5 });
    expect(await fill(signed)).toBe('EntityTooLarge');
    expect(await fill(signed, { at: 'elsewhere' })).toBe('InvalidSignature');
    expect(await fill(signed, { body: Buffer.from('12345') })).toBe('by alice');
    expect(await fill(signed, { body: Buffer.from('12345') })).toBe('InvalidSignature');
  });

  test.each(['a clean stop', 'a kill', 'a power cut'])('stays made after %s', async (end) => {
    const down = await download({ once: true });
    const up = await upload({ once: true, upsert: true });
    expect([await use(down), await fill(up)]).toEqual([shown, 'by alice']);
    if (end === 'a clean stop') await rig.close();
    else if (end === 'a kill') await rig.kill();
    else await rig.cutPower(7);
    await rig.open();
    expect([await use(down), await fill(up)]).toEqual(['InvalidSignature', 'InvalidSignature']);
  });
});

describe('an upload', () => {
  test("is its issuer's, overwrites only where signed so, and keeps to type and size", async () => {
    const plain = await upload({ call: bob, bucket: 'open', contentType: 'text/*', maxBytes: 20 });
    const at = { bucket: 'open' };
    expect(await fill(plain, { ...at, type: 'image/png' })).toBe('InvalidMimeType');
    expect(await fill(plain, { ...at, body: Buffer.alloc(21) })).toBe('EntityTooLarge');
    expect(await fill(plain, at)).toBe('by bob');
    expect(await fill(plain, at)).toBe('KeyAlreadyExists');
    const over = await upload({ call: bob, bucket: 'open', upsert: true });
    expect(await fill(over, at)).toBe('by bob');
    // The path is somebody else's: nobody may sign for it, and what was signed is void.
    expect(
      codeOf(
        await urls().signUpload(alice, key('open', 'new'), {
          once: false,
          upsert: true,
          contentType: null,
          maxBytes: null,
        }),
      ),
    ).toBe('AccessDenied');
  });

  test('that turns out to be of another type than signed for is refused', async () => {
    const png = await upload({ contentType: 'image/png' });
    const html = Buffer.from('<!doctype html><script>1</script>');
    expect(await fill(png, { type: 'image/png', body: html })).toBe('InvalidMimeType');
  });

  test('that is revoked while its bytes arrive is refused', async () => {
    const signed = await upload();
    const claims = signed.claims;
    const { call, grant } = must(
      await urls().upload({ claims, key: key('b', 'new'), requestId: 'use' }),
    );
    const { objects } = rig.store.service;
    const admission = must(
      await objects.admit(call, {
        ...key('b', 'new'),
        contentType: 'a/b',
        sizeBytes: 1,
        conditions: { overwrite: false },
        grant,
      }),
    );
    must(await urls().revoke(alice, { token: signed.token }));
    const stored = await objects.store(call, admission, {
      bytes: (async function* () {
        yield Buffer.from('1');
      })(),
      details: async () => ({ ok: true, value: { cacheControl: null, metadata: null } }),
    });
    expect(codeOf(stored)).toBe('InvalidSignature');
    expect(await get(rig, alice, { bucket: 'b', path: 'new' })).toBe('NoSuchKey');
  });
});

describe('many at once', () => {
  const sign = (call: Call, bucket: string, paths: string[]) =>
    urls().signDownloads(call, { bucket: bucket as BucketName, paths: paths as ObjectPath[] });

  test('each path has its own, or none', async () => {
    const signed = must(await sign(alice, 'b', ['a', 'missing', 'a']));
    expect(signed.map(({ path, signed }) => [path, signed !== undefined])).toEqual([
      ['a', true],
      ['missing', false],
      ['a', true],
    ]);
    for (const one of signed) if (one.signed) expect(await use(one.signed)).toBe(shown);
  });

  test('an unseen bucket is as good as missing', async () => {
    expect(await sign(bob, 'b', ['a', 'missing'])).toEqual(await sign(bob, 'nowhere', ['a']));
    expect(codeOf(await sign(bob, 'b', ['a']))).toBe('NoSuchBucket');
    expect(codeOf(await sign(bob, 'open', ['a']))).toBe('ok');
  });
});

describe('a revocation', () => {
  test('of a token is of that one alone, survives a restart, and is recorded once', async () => {
    const [one, other] = [await download(), await download()];
    const { position } = must(await urls().revoke(alice, { token: one.token }));
    expect(await use(one)).toBe('InvalidSignature');
    expect(must(await urls().revoke(alice, { token: one.token })).position).toBe(position);
    await rig.kill();
    await rig.open();
    expect(await use(one)).toBe('InvalidSignature');
    expect(await use(other)).toBe(shown);
  });

  test('of a path or a bucket is of what was issued until then', async () => {
    await put(rig, alice, { bucket: 'b', path: 'a2', bytes });
    const here = await download();
    const there = await download({ at: 'a2' });
    must(await urls().revoke(alice, { bucket: 'b' as BucketName, path: 'a' as ObjectPath }));
    expect(await use(here)).toBe('InvalidSignature');
    expect(await use(there, key('b', 'a2'))).toBe(shown);
    const later = await download();
    expect(await use(later)).toBe(shown);
    must(await urls().revoke(alice, { bucket: 'b' as BucketName, path: null }));
    expect(await use(later)).toBe('InvalidSignature');
    expect(await use(there, key('b', 'a2'))).toBe('InvalidSignature');
    expect(await use(await download())).toBe(shown);
  });

  test('up to a moment includes that very millisecond', async () => {
    const [first, second] = [await download(), await download()];
    expect(second.claims.issued_at).toBeGreaterThan(first.claims.issued_at);
    const issuedBefore = first.claims.issued_at;
    must(await urls().revoke(alice, { bucket: 'b' as BucketName, path: null, issuedBefore }));
    expect(await use(first)).toBe('InvalidSignature');
    expect(await use(second)).toBe(shown);
  });

  test('until a moment to come reaches up to now: the next owner signs as ever', async () => {
    const at = key('open', 'shared');
    const terms = { once: false, version: null };
    await put(rig, bob, { ...at, bytes });
    const former = must(await urls().signDownload(bob, at, terms));
    must(await urls().revoke(bob, { ...at, issuedBefore: Date.UTC(2999, 0, 1) }));
    expect(await use(former, at)).toBe('InvalidSignature');
    await rig.store.service.objects.remove(bob, at);
    await put(rig, alice, { ...at, bytes });
    expect(await use(must(await urls().signDownload(alice, at, terms)), at)).toBe(shown);
  });

  test("is for the object's owner, the bucket's owner and the service", async () => {
    const signed = await download();
    expect(codeOf(await urls().revoke(bob, { token: signed.token }))).toBe('NoSuchBucket');
    expect(codeOf(await urls().revoke(bob, { bucket: 'b' as BucketName, path: null }))).toBe(
      'NoSuchBucket',
    );
    expect(codeOf(await urls().revoke(bob, { bucket: 'open' as BucketName, path: null }))).toBe(
      'AccessDenied',
    );
    expect(await use(signed)).toBe(shown);
    expect(codeOf(await urls().revoke(service, { token: signed.token }))).toBe('ok');
    expect(await use(signed)).toBe('InvalidSignature');
  });
});

describe('a token', () => {
  test('that is changed in any character is not one of ours', async () => {
    const { token } = await download();
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (let at = 0; at < token.length; at += 1) {
      const letter = token.charAt(at);
      const other = letter === '.' ? 'A' : alphabet.charAt((alphabet.indexOf(letter) + 1) % 64);
      const changed = token.slice(0, at) + other + token.slice(at + 1);
      expect(codeOf(await urls().verify(changed)), `at ${at}`).toBe('InvalidSignature');
    }
  });

  test('has one spelling', async () => {
    const { token } = await download();
    const others = [
      `${token}=`,
      `${token}A`,
      ` ${token}`,
      `${token}\n`,
      `${token}.`,
      token.slice(0, -1),
      token.replaceAll('.', '..'),
      token.toLowerCase(),
      `${token}.${token}`,
      '',
      '.',
      '..',
      'A'.repeat(1e6),
    ];
    for (const other of others) {
      expect(codeOf(await urls().verify(other)), other.slice(0, 200)).toBe('InvalidSignature');
    }
    // The two last bits of the last character mean nothing to a decoder.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (const last of alphabet) {
      if (token.endsWith(last)) continue;
      expect(codeOf(await urls().verify(token.slice(0, -1) + last)), last).toBe('InvalidSignature');
    }
  });
});
