import { utf8Bytes } from './names.ts';

/** Who asks, after authentication. A user's id is the token's `sub`: at most 255 bytes. */
export type Caller =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'user'; readonly id: string }
  | { readonly kind: 'service'; readonly id: string | null };

export const anonymous: Caller = { kind: 'anonymous' };

/** The owner of what the caller makes; null for anonymous and for a service token without `sub`. */
export function callerId(caller: Caller): string | null {
  return caller.kind === 'anonymous' ? null : caller.id;
}

/** A user's id, which a token carries as `sub`: in UTF-8, bytes. */
export const maxSubjectBytes = 255;

/** True for a text that can be a user's id: well-formed, not too long, no control characters. */
export function isSubject(text: string): boolean {
  if (text === '' || !text.isWellFormed() || utf8Bytes(text) > maxSubjectBytes) return false;
  return !/\p{Cc}/u.test(text);
}
