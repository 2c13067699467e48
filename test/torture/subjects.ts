/** Who loads a server, and where. */
import { createHash } from 'node:crypto';
import { user } from '../acceptance/support/tokens.ts';

export const token = user('torture');
/** Where all clients race. */
export const sharedBucket = 'shared';

export function bucketOf(client: number): string {
  return `client-${client}`;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
