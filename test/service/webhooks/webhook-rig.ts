/** A store whose webhooks go to a receiver of the test's making, by a clock that the test moves. */
import { vi } from 'vitest';
import type { EventFilter } from '../../../src/domain/events.ts';
import type { Call } from '../../../src/service/service.ts';
import type { Message, Outcome } from '../../../src/service/webhooks/outward/send.ts';
import { createBucket, makeRig, put, type Rig, type RigOptions } from '../../support/rig.ts';

export interface Sent extends Message {
  readonly id: string;
  readonly event: { readonly type: string; readonly path: string | null; readonly id: string };
}

export type Answering = (message: Sent) => number | Outcome | Promise<number | Outcome>;

interface Timer {
  readonly ms: number;
  readonly fire: () => void;
}

export interface WebhookRig {
  readonly rig: Rig;
  readonly sent: Sent[];
  /** What the receiver answers: a status, 200 unless told. */
  answer: Answering;
  /** `path` of each event that was sent to the URL, in order. */
  paths(url?: string): (string | null)[];
  /** Waits until what is sent is this. */
  sees(paths: readonly (string | null)[], url?: string): Promise<void>;
  /** How long each one waits who waits for more than a second, ms. */
  waits(): number[];
  /** Waits until somebody waits that long, and lets that time pass. */
  pass(about: number): Promise<void>;
  put(call: Call, path: string, bucket?: string): Promise<void>;
  make(
    call: Call,
    url: string,
    filter?: Partial<EventFilter>,
  ): Promise<{ id: string; secret: string }>;
}

export const receiver = 'https://receiver.example/';

export async function webhookRig(options: RigOptions = {}): Promise<WebhookRig> {
  const timers = new Set<Timer>();
  const sent: Sent[] = [];
  const pause = (ms: number, signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const timer: Timer = {
        ms,
        fire: () => {
          timers.delete(timer);
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = () => {
        timers.delete(timer);
        reject(signal.reason);
      };
      timers.add(timer);
      signal.addEventListener('abort', leave);
    });
  const rig = makeRig({
    ...options,
    store: { ...options.store, pause },
    followers: {
      delivers: true,
      resolve: async () => [{ address: '93.184.215.14', family: 4 }],
      send: async (message, signal) => {
        const id = message.headers['webhook-id'] ?? '';
        const one: Sent = { ...message, id, event: JSON.parse(message.body) };
        sent.push(one);
        const said = await stoppable(signal, made.answer(one));
        return typeof said === 'number'
          ? { kind: 'answered', status: said, retryAfter: undefined }
          : said;
      },
    },
  });
  const long = () => [...timers].filter(({ ms }) => ms > 1_000);
  const made: WebhookRig = {
    rig,
    sent,
    answer: () => 200,
    paths: (url = receiver) =>
      sent.filter((one) => one.url === url).map(({ event: { path } }) => path),
    sees: (paths, url) => vi.waitFor(() => equal(made.paths(url), paths), { timeout: 5_000 }),
    waits: () => long().map(({ ms }) => ms),
    async pass(about) {
      const isIt = ({ ms }: Timer) => ms >= about && ms <= about * 1.11;
      await vi.waitFor(() => equal(long().some(isIt), true), { timeout: 5_000 });
      rig.advance(about * 1.11);
      for (const timer of long()) if (timer.ms <= about * 1.11) timer.fire();
    },
    async put(call, path, bucket = 'b') {
      const stored = await put(rig, call, { bucket, path, bytes: Buffer.from(path) });
      if (!stored.ok) throw new Error(stored.rejection.code);
    },
    async make(call, url, filter = {}) {
      const webhook = await rig.store.service.webhooks.create(call, {
        url,
        filter: { bucket: null, prefix: null, types: null, ...filter },
      });
      if (!webhook.ok) throw new Error(`${webhook.rejection.code} ${webhook.rejection.message}`);
      return { id: webhook.value.webhook.id, secret: webhook.value.secret };
    },
  };
  await rig.open();
  return made;
}

async function stoppable<T>(signal: AbortSignal, work: T | Promise<T>): Promise<T> {
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** With a bucket `b` of the caller's. */
export async function withBucket(call: Call, options: RigOptions = {}): Promise<WebhookRig> {
  const made = await webhookRig(options);
  const bucket = await createBucket(made.rig, call, 'b');
  if (!bucket.ok) throw new Error(bucket.rejection.code);
  return made;
}

function equal(found: unknown, wanted: unknown): void {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${left} is not ${right}`);
}
