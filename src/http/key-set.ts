/** A key set as text (RFC 7517 §5), parsed before anything is signed or verified with it. */
import type { JSONWebKeySet } from 'jose';
import { z } from 'zod';

/** HS256 wants a key of at least the hash's size: RFC 7518 §3.2. */
export const minSecretBytes = 32;

const key = z
  .looseObject({ kty: z.string(), kid: z.string().optional(), k: z.string().optional() })
  .refine(({ kty, k }) => {
    return kty !== 'oct' || Buffer.from(k ?? '', 'base64url').byteLength >= minSecretBytes;
  });
const keySet = z.object({ keys: z.array(key) });

/** undefined for what is no key set, or has an `oct` key that is too short. */
export function parseKeySet(text: string): JSONWebKeySet | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // A parser's message quotes the text, which may hold secrets.
    return undefined;
  }
  const parsed = keySet.safeParse(value);
  return parsed.success ? (parsed.data as JSONWebKeySet) : undefined;
}
