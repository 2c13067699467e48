/** Standard Webhooks: what a receiver needs to know that a message is ours, and of now. */
import { createHmac } from 'node:crypto';

export interface Signed {
  /** Stable across tries. */
  readonly id: string;
  readonly body: string;
  readonly nowMs: number;
  /** As receivers have them, the newest first: each signs. */
  readonly secrets: readonly string[];
}

export function signedHeaders({ id, body, nowMs, secrets }: Signed): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1000));
  const signatures = secrets.map((secret) => {
    const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
    const hmac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`);
    return `v1,${hmac.digest('base64')}`;
  });
  return {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': signatures.join(' '),
  };
}
