/**
 * Server-sent events (HTML Standard §9.2): `id:` and one line of `data:` an event, and no `event:`
 * field but for what is no event of the store, so that `onmessage` hears all.
 */
import type { ServerResponse } from 'node:http';
import type { Batch, Place } from '../../service/subscriptions/subscriptions.ts';
import type { Exchange } from '../wire/exchange.ts';
import type { Outlet } from './streams.ts';

export const sseHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // nginx would collect the stream into blocks.
  'x-accel-buffering': 'no',
} as const;

/** `outgoing` has its head already. */
export function sseOutlet(exchange: Exchange, onGone: () => void): Outlet {
  const { outgoing } = exchange;
  const { socket } = exchange.incoming;
  // A client that closes its half has left: of a stream without an end there is no last answer.
  const left = () => void outgoing.destroy();
  socket.once('end', left);
  outgoing.once('close', () => {
    socket.off('end', left);
    onGone();
  });
  if (socket.readableEnded) left();
  const write = (text: string) => {
    if (outgoing.destroyed || outgoing.writableEnded) return true;
    exchange.bytesOut += text.length;
    return outgoing.write(text);
  };
  // What it says makes proxies and clients see the stream begin.
  write(': events\n\n');
  return {
    send: (batch) => write(textOf(batch)),
    drained: () => drained(outgoing),
    place: (place) => write(`id: ${idOf(place)}\n\n`),
    beat: () => write(': \n\n'),
    end({ code, message }) {
      write(`event: closing\ndata: ${JSON.stringify({ code, message: message ?? code })}\n\n`);
      outgoing.end();
    },
    destroy: () => void outgoing.destroy(),
    get isGone() {
      return outgoing.destroyed;
    },
  };
}

export function idOf({ epoch, position }: Place): string {
  return `${epoch}-${position}`;
}

function textOf({ events, through, caughtUp }: Batch): string {
  let text = '';
  for (const { place, json } of events) text += `id: ${idOf(place)}\ndata: ${json}\n\n`;
  if (!caughtUp) return text;
  const data = JSON.stringify({ position: through.position });
  return `${text}event: caughtup\nid: ${idOf(through)}\ndata: ${data}\n\n`;
}

/** Resolves once the system has taken what was written; for what was ended, once it is gone. */
async function drained(outgoing: ServerResponse): Promise<void> {
  if (outgoing.destroyed || outgoing.writableFinished) return;
  if (!outgoing.writableNeedDrain && !outgoing.writableEnded) return;
  const names = outgoing.writableEnded ? ['close'] : ['drain', 'close'];
  await new Promise<void>((resolve) => {
    const done = () => {
      for (const name of names) outgoing.off(name, done);
      resolve();
    };
    for (const name of names) outgoing.once(name, done);
  });
}
