/**
 * A subscriber who stays: by a stream or a WebSocket, with pauses in which it takes nothing, gone now
 * and then and back where it was. It notes all that it is told, and whether it came in order.
 */
import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Target } from '../../acceptance/support/client.ts';
import { service, user } from '../../acceptance/support/tokens.ts';
import { received, type Told, type Wanted } from './oracle.ts';

/** Where the server is just now. */
export interface Place {
  now(): Target;
  /** Resolves once it is another one than `known`. */
  changed(known: Target): Promise<void>;
}

export interface Subscriber {
  readonly wanted: Wanted;
  readonly told: readonly Told[];
  /** Where it began; undefined until it was told. */
  readonly start: number | undefined;
  /** How far it was told to have heard all. */
  readonly reached: number;
  readonly connections: number;
  readonly problems: readonly string[];
}

export interface Subscribing {
  readonly server: Place;
  readonly random: () => number;
  readonly wanted: Wanted;
  readonly kind: 'stream' | 'socket';
  readonly from: 'beginning' | 'now';
  /** True once it is to leave for good. */
  readonly isOver: () => boolean;
  /** True once pauses and leaves are over. */
  readonly isCalm: () => boolean;
}

interface State extends Subscriber {
  told: Told[];
  start: number | undefined;
  reached: number;
  connections: number;
  problems: string[];
  id: string | undefined;
}

export function subscribe(subscribing: Subscribing): {
  readonly subscriber: Subscriber;
  readonly ended: Promise<void>;
} {
  const { wanted, from } = subscribing;
  const state: State = {
    wanted,
    told: [],
    start: from === 'beginning' ? 0 : undefined,
    reached: 0,
    connections: 0,
    problems: [],
    id: undefined,
  };
  return { subscriber: state, ended: stay(subscribing, state) };
}

async function stay(subscribing: Subscribing, state: State): Promise<void> {
  const { server, kind, isOver } = subscribing;
  while (!isOver()) {
    const target = server.now();
    const listen = kind === 'stream' ? listenToStream : listenToSocket;
    const isGone = await listen(subscribing, state, target);
    if (isGone && !isOver()) await Promise.race([server.changed(target), pause(200)]);
  }
}

function queryOf({ wanted, from }: Subscribing, state: State, isSocket: boolean): string {
  const { bucket, prefix, types } = wanted;
  const query = new URLSearchParams();
  if (bucket !== undefined) query.set('bucket', bucket);
  if (prefix !== undefined) query.set('prefix', prefix);
  if (types) query.set('types', types.join(','));
  // A stream says with a header where it goes on, whatever the query says.
  query.set('from', isSocket ? (state.id ?? from) : from);
  return `/storage/v1/events?${query}`;
}

function tokenOf({ user: name }: Wanted): string {
  return `Bearer ${name === undefined ? service : user(name)}`;
}

/** Resolves once the connection is over, to whether the server seems to be gone. */
function listenToStream(subscribing: Subscribing, state: State, { url }: Target): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = {
      authorization: tokenOf(subscribing.wanted),
      ...(state.id === undefined ? {} : { 'last-event-id': state.id }),
    };
    const asked = request(url + queryOf(subscribing, state, false), { headers, agent: false });
    asked.once('error', () => resolve(true));
    asked.once('response', (response) => {
      response.once('close', () => resolve(true));
      response.on('error', () => resolve(true));
      if (response.statusCode !== 200) {
        if (response.statusCode !== 503) state.problems.push(`refused: ${response.statusCode}`);
        response.resume();
        return;
      }
      state.connections += 1;
      let rest = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        const blocks = (rest + text).split('\n\n');
        rest = blocks.pop() ?? '';
        for (const block of blocks) takeBlock(state, block);
      });
      void disturb(subscribing, response, () => {
        asked.destroy();
        resolve(false);
      });
    });
    asked.end();
  });
}

function takeBlock(state: State, block: string): void {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
  const [event, id, data] = [field('event'), field('id'), field('data')];
  if (event === undefined && data !== undefined) hear(state, JSON.parse(data), id);
  else if (id !== undefined) move(state, id);
}

function listenToSocket(subscribing: Subscribing, state: State, { url }: Target): Promise<boolean> {
  return new Promise((resolve) => {
    const address = url.replace(/^http/, 'ws') + queryOf(subscribing, state, true);
    const headers = { authorization: tokenOf(subscribing.wanted) };
    const socket = new WebSocket(address, { headers });
    socket.on('error', () => resolve(true));
    socket.once('close', () => resolve(true));
    socket.once('unexpected-response', (_asked, { statusCode }) => {
      if (statusCode !== 503) state.problems.push(`refused: ${statusCode}`);
      socket.terminate();
      resolve(true);
    });
    socket.once('open', () => {
      state.connections += 1;
      void disturb(subscribing, socket, () => {
        socket.terminate();
        resolve(false);
      });
    });
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as Record<string, unknown>;
      if (String(message.type).startsWith('storage.')) hear(state, message, undefined);
      else if (typeof message.id === 'string') move(state, message.id);
    });
  });
}

/** Pauses and leaves, until it is to be calm or over. */
async function disturb(
  { random, isCalm, isOver }: Subscribing,
  connection: { pause(): unknown; resume(): unknown },
  leave: () => void,
): Promise<void> {
  while (!isCalm() && !isOver()) {
    await pause(random() * 1_500);
    const chance = random();
    if (chance < 0.2) return leave();
    if (chance < 0.4) {
      connection.pause();
      await pause(random() * 1_000);
      connection.resume();
    }
  }
  while (!isOver()) await pause(100);
  leave();
}

function hear(state: State, event: Record<string, unknown>, id: string | undefined): void {
  const told = received(event);
  const [place = ''] = told.text.split(' ');
  if (id !== undefined && id !== place) state.problems.push(`${id} is the id of ${place}`);
  const last = state.told.at(-1);
  if (last && last.position >= told.position) {
    state.problems.push(`${told.position} came behind ${last.position}`);
  }
  state.told.push(told);
  move(state, place);
}

function move(state: State, id: string): void {
  const position = Number(id.split('-')[1]);
  if (position < state.reached) state.problems.push(`it was moved back to ${id}`);
  state.start ??= position;
  state.id = id;
  state.reached = position;
}
