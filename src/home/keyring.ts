/**
 * Secrets in `keys/`: files of mode 0600 in a folder of mode 0700, one base64url text each. A secret
 * is never logged and never a part of an error.
 */
import { type Files, readFileIfPresent, replaceFile } from '#files';
import { KeyRefused } from './errors.ts';
import type { Layout } from './layout.ts';

/** HS256 wants a key of at least its hash's length (RFC 7518 §3.2). */
const secretBytes = 32;

/** What a place with neither secret nor key set signs its tokens with. */
export interface LoginSecret {
  readonly secret: Uint8Array;
  /** Made by this call. */
  readonly created: boolean;
}

/** `random` gives that many bytes from a cryptographic source. Throws `KeyRefused`. */
export async function readOrCreateLoginSecret(
  files: Files,
  layout: Layout,
  random: (sizeBytes: number) => Uint8Array,
): Promise<LoginSecret> {
  const found = await readLoginSecret(files, layout);
  if (found) return { secret: found, created: false };
  const secret = random(secretBytes);
  await files.makeDirectory(layout.keys, 0o700);
  await replaceFile(files, layout.loginSecretFile, {
    bytes: Buffer.from(`${Buffer.from(secret).toString('base64url')}\n`),
    permissions: 0o600,
  });
  return { secret, created: true };
}

/** Undefined where none was made yet. Throws `KeyRefused`. */
export async function readLoginSecret(
  files: Files,
  layout: Layout,
): Promise<Uint8Array | undefined> {
  const path = layout.loginSecretFile;
  const bytes = await readFileIfPresent(files, path);
  if (bytes === undefined) return undefined;
  const text = new TextDecoder().decode(bytes).trim();
  if (!/^[A-Za-z0-9_-]*$/.test(text)) {
    throw new KeyRefused(`${path} is not base64url: restore it, or remove it to get a new secret`);
  }
  const secret = Buffer.from(text, 'base64url');
  if (secret.byteLength < secretBytes) {
    throw new KeyRefused(
      `${path} has ${secret.byteLength} bytes instead of ${secretBytes} or more: restore it, or remove it to get a new secret, with which earlier tokens are void`,
    );
  }
  return secret;
}
