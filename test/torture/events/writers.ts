/** Writers who change everything that yields events, and take no answer for an answer. */
import { ask, type Question } from '../../acceptance/support/client.ts';
import { user } from '../../acceptance/support/tokens.ts';
import type { Place } from './subscriber.ts';

/** The owner's buckets, which stay as they are. */
export const buckets = [
  { name: 'closed', policy: 'private', write_policy: 'owner' },
  { name: 'drop', policy: 'private', write_policy: 'authenticated' },
  { name: 'members', policy: 'authenticated', write_policy: 'authenticated' },
  { name: 'open', policy: 'public', write_policy: 'authenticated' },
] as const;
export const owner = 'boss';
export const users = [owner, 'ann', 'bob'] as const;
export const prefixes = ['a/', 'b/', 'a/x/'] as const;

const pathsOfPrefix = 6;

export interface Writing {
  readonly server: Place;
  readonly random: () => number;
  /** True once no more is to be begun. */
  readonly isOver: () => boolean;
  /** Called for each change that was acknowledged. */
  readonly onDone: () => void;
}

export async function makeBuckets(server: Place): Promise<void> {
  for (const json of buckets) {
    const reply = await ask(server.now(), '/bucket', { method: 'POST', token: user(owner), json });
    if (reply.status !== 200) throw new Error(reply.text());
  }
}

export async function write(writing: Writing, name: number): Promise<void> {
  const { server, isOver, onDone } = writing;
  for (let round = 0; !isOver(); round += 1) {
    const [path, question] = actOf(writing, `${name}-${round}`);
    const target = server.now();
    const reply = await ask(target, path, question).catch(() => undefined);
    if (reply?.status === 200) onDone();
    else if (!reply) await server.changed(target);
  }
}

function actOf({ random }: Writing, word: string): readonly [string, Question] {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const token = user(pick(users));
  const bucket = pick(buckets).name;
  const path = () => `${pick(prefixes)}${Math.floor(random() * pathsOfPrefix)}`;
  const json = (method: string, body: unknown): Question => ({ method, token, json: body });
  const chance = random();
  if (chance < 0.45) {
    const headers = { 'content-type': 'text/plain' };
    return [`/object/${bucket}/${path()}`, { method: 'PUT', token, body: word, headers }];
  }
  if (chance < 0.55) return [`/object/${bucket}/${path()}`, json('PATCH', { metadata: { word } })];
  if (chance < 0.65) return [`/object/${bucket}/${path()}`, { method: 'DELETE', token }];
  if (chance < 0.72) {
    return [`/object/${bucket}`, json('DELETE', { prefixes: [path(), path(), path(), path()] })];
  }
  if (chance < 0.96) {
    const body = {
      bucketId: bucket,
      sourceKey: path(),
      destinationBucket: pick(buckets).name,
      destinationKey: path(),
    };
    const headers = { 'x-upsert': 'true' };
    return [chance < 0.84 ? '/object/copy' : '/object/move', { ...json('POST', body), headers }];
  }
  if (chance < 0.98) return [`/bucket/${bucket}/empty`, { method: 'POST', token: user(owner) }];
  const temporary = `temporary-${Math.floor(random() * 8)}`;
  const more = { policy: pick(['private', 'authenticated', 'public']) };
  return chance < 0.99
    ? ['/bucket', json('POST', { name: temporary, write_policy: 'authenticated', ...more })]
    : [`/bucket/${temporary}?force=true`, { method: 'DELETE', token }];
}
