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
