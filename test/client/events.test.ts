/** Events by the client against a whole store over HTTP that restarts, refuses and ends tokens. */
import { SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createClient,
  cursorOf,
  type EventsOptions,
  type StorageEvent,
} from '../../src/client/index.ts';
import { blocksOf } from '../../src/client/server-sent-events.ts';
import { secret, token, until } from '../http/support/door.ts';
import { type StoreDoor, startStoreDoor } from '../http/support/store-door.ts';

let door: StoreDoor;
let stops: AbortController[] = [];

beforeEach(async () => {
  door = await startStoreDoor({ streamTimes: { tickMs: 5, placeMs: 10 } });
});
afterEach(async () => {
  for (const stop of stops) stop.abort();
  stops = [];
  await door.close();
});

async function client(given: Partial<Parameters<typeof createClient>[0]> = {}) {
  return createClient({ url: door.origin, token: () => token('ann'), ...given });
}

/** Collects until it is stopped; `fault` is what ended it. */
async function collecting(options: EventsOptions = {}, given = {}) {
  const stop = new AbortController();
  stops.push(stop);
  const stream = (await client(given)).events({ ...options, signal: stop.signal });
  const events: StorageEvent[] = [];
  const state = { stream, events, stop, fault: undefined as unknown, isOver: false };
  void (async () => {
    for await (const event of stream) events.push(event);
  })().then(
    () => {
      state.isOver = true;
    },
    (fault: unknown) => {
      state.fault = fault;
      state.isOver = true;
    },
  );
  return state;
}

const paths = (events: readonly StorageEvent[]) => events.map(({ path }) => path);

describe('events', () => {
  test('come as they were and as they come, with a cursor that goes on behind each', async () => {
    const ann = await client();
    await ann.buckets.create('b');
    await ann.bucket('b').upload('1', 'x');
    let caughtUp = 0;
    const all = await collecting({
      from: 'beginning',
      onCaughtUp: () => {
        caughtUp += 1;
      },
    });
    await until(() => caughtUp === 1);
    await ann.bucket('b').upload('2', 'x');
    await until(() => all.events.length === 3);
    expect(paths(all.events)).toEqual([null, '1', '2']);
    const [first] = all.events;
    const rest = await collecting({ from: first ? cursorOf(first) : '' });
    await until(() => rest.events.length === 2);
    expect(paths(rest.events)).toEqual(['1', '2']);
    const last = all.events.at(-1);
    await until(() => all.stream.cursor === (last && cursorOf(last)));
    all.stop.abort();
    await until(() => all.isOver);
    expect(all.fault).toBeUndefined();
    await until(() => door.rig.store.service.subscriptions.count === 1);
  });

  test('are filtered, and the cursor moves on past what is kept back', async () => {
    const ann = await client();
    await ann.buckets.create('b');
    await ann.buckets.create('c');
    const some = await collecting({
      bucket: 'b',
      prefix: 'a/',
      types: ['storage.object.created', 'storage.object.deleted'],
      from: 'beginning',
    });
    await until(() => some.stream.cursor !== undefined);
    const before = some.stream.cursor;
    await ann.bucket('c').upload('a/1', 'x');
    await until(() => some.stream.cursor !== before);
    await ann.bucket('b').upload('a/1', 'x');
    await ann.bucket('b').upload('a/1', 'y');
    await ann.bucket('b').remove('a/1');
    await until(() => some.events.length === 2);
    expect(some.events.map(({ type }) => type)).toEqual([
      'storage.object.created',
      'storage.object.deleted',
    ]);
  });

  test('are given out once through broken connections', async () => {
    const ann = await client();
    await ann.buckets.create('b');
    let reconnects = 0;
    const all = await collecting(
      {
        from: 'beginning',
        onReconnect: () => {
          reconnects += 1;
        },
      },
      { fetch: breaking() },
    );
    for (let index = 0; index < 30; index += 1) await ann.bucket('b').upload(String(index), 'x');
    await until(() => all.events.length >= 31);
    expect(paths(all.events)).toEqual([null, ...Array.from({ length: 30 }, (_, at) => String(at))]);
    expect(reconnects).toBeGreaterThan(0);
  });

  test('go on with a fresh token when the old one ends', async () => {
    const ann = await client();
    await ann.buckets.create('b');
    let asked = 0;
    const short = () => {
      asked += 1;
      return new SignJWT({ sub: 'ann' })
        .setProtectedHeader({ alg: 'HS256' })
        .setExpirationTime(Math.floor(Date.now() / 1000) + 2)
        .sign(secret);
    };
    const all = await collecting({ from: 'beginning' }, { token: short });
    await until(() => asked >= 2);
    await ann.bucket('b').upload('1', 'x');
    await until(() => all.events.length === 2);
    expect(paths(all.events)).toEqual([null, '1']);
  });

  test('end with what the server refuses for good', async () => {
    for (const [options, given, code] of [
      [{ bucket: 'none' }, {}, 'NoSuchBucket'],
      [{ from: '999' }, {}, 'PositionGone'],
      [{ from: 'nonsense' }, {}, 'InvalidRequest'],
      [{}, { token: 'a.b.c' }, 'InvalidJWT'],
    ] as const) {
      const refused = await collecting(options, given);
      await until(() => refused.isOver);
      expect(refused.fault).toMatchObject({ name: 'AerostoreError', code });
    }
  });

  test('let go of the connection when nobody iterates any more', async () => {
    const ann = await client();
    await ann.buckets.create('b');
    for await (const event of ann.events({ from: 'beginning' })) {
      expect(event.bucket).toBe('b');
      break;
    }
    await until(() => door.rig.store.service.subscriptions.count === 0);
  });
});

/** A fetch whose every other stream breaks after some bytes, in the middle of a block as a rule. */
function breaking(): typeof fetch {
  let count = 0;
  return async (...values) => {
    const response = await fetch(...values);
    count += 1;
    if (!response.body || count % 2 === 0) return response;
    let left = 400 + count * 137;
    const broken = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          if (chunk.byteLength >= left) {
            controller.enqueue(chunk.subarray(0, left));
            controller.error(new TypeError('the connection broke'));
          } else controller.enqueue(chunk);
          left -= chunk.byteLength;
        },
      }),
    );
    return new Response(broken, response);
  };
}

describe('blocks', () => {
  const parse = async (text: string, chunkBytes: number) => {
    const bytes = new TextEncoder().encode(text);
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += chunkBytes) {
          controller.enqueue(bytes.subarray(at, at + chunkBytes));
        }
        controller.close();
      },
    });
    const blocks: object[] = [];
    for await (const block of blocksOf(body, () => {})) blocks.push(block);
    return blocks;
  };

  test('are the same wherever chunks end', async () => {
    const text =
      ': hello\n\nid: 1-2\ndata: {"ü":"🎈"}\n\nevent: caughtup\r\nid:1-3\r\ndata: a\r\ndata:  b\r\n\r\nid: 1-4\n\n\n\n: \n\ndata: cut';
    for (let chunkBytes = 1; chunkBytes < 40; chunkBytes += 1) {
      expect(await parse(text, chunkBytes)).toEqual([
        { id: '1-2', data: '{"ü":"🎈"}' },
        { event: 'caughtup', id: '1-3', data: 'a\n b' },
        { id: '1-4' },
      ]);
    }
  });
});
