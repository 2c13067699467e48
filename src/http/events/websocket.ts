/**
 * Events over WebSockets (RFC 6455): one JSON message an event, and messages of other types where
 * server-sent events have other fields. Clients have nothing to say: what they send is bounded, and a
 * message ends the connection.
 */
import { type WebSocket, WebSocketServer } from 'ws';
import { rejection } from '../../domain/rejection.ts';
import { ok, type Result, refuse } from '../../domain/result.ts';
import type { Batch, Place } from '../../service/subscriptions/subscriptions.ts';
import type { Exchange, Upgrade } from '../wire/exchange.ts';
import { leaveHttp } from '../wire/upgrade.ts';
import { idOf } from './sse.ts';
import type { Outlet } from './streams.ts';

/** The most that a client may send in one message, bytes; it is closed for any, but told why. */
const maxMessageBytes = 4 * 1024;
/** What may wait for a client before it counts as slow, bytes. */
const slowBytes = 64 * 1024;

const policyViolation = 1008;
const unsupportedData = 1003;
const goingAway = 1001;
const tryAgainLater = 1013;

/** A handshake that the client got right: what is left is to answer it. */
export function checkHandshake({ incoming }: Exchange): Result<undefined> {
  const { 'sec-websocket-key': key, 'sec-websocket-version': version } = incoming.headers;
  const isKey = typeof key === 'string' && /^[+/0-9A-Za-z]{22}==$/.test(key);
  if (isKey && version === '13') return ok(undefined);
  return refuse(
    rejection('InvalidRequest', 'The WebSocket handshake is not valid', {
      hint: 'Send Sec-WebSocket-Key and "Sec-WebSocket-Version: 13" (RFC 6455 §4.1).',
    }),
  );
}

export interface WebSockets {
  /** Answers the handshake; resolves to the connection, or undefined where none came about. */
  accept(exchange: Exchange, upgrade: Upgrade): Promise<WebSocket | undefined>;
}

export function createWebSockets(): WebSockets {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // Compression costs each connection memory that 10,000 of them do not have.
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  return {
    accept: (exchange, { socket, head }) =>
      new Promise((resolve) => {
        leaveHttp(exchange.outgoing, { socket, head });
        // What is wrong with a handshake beyond what was checked, ws answers without a word to us.
        socket.once('close', () => resolve(undefined));
        server.handleUpgrade(exchange.incoming, socket, head, resolve);
      }),
  };
}

export function socketOutlet(exchange: Exchange, socket: WebSocket, onGone: () => void): Outlet {
  /** A ping that has not been answered. */
  let isUnanswered = false;
  socket.once('close', onGone);
  // What breaks is closed; nobody is left who could be told.
  socket.on('error', () => undefined);
  socket.on('pong', () => {
    isUnanswered = false;
  });
  socket.on('message', (_data, isBinary) => {
    if (isBinary) socket.close(unsupportedData, 'Binary messages are not understood');
    else socket.close(policyViolation, 'Nothing is to be said here');
  });
  const send = (text: string) => {
    if (socket.readyState !== socket.OPEN) return;
    exchange.bytesOut += text.length;
    socket.send(text);
  };
  const isTaken = () => socket.bufferedAmount < slowBytes;
  const tell = (type: string, place: Place) =>
    send(JSON.stringify({ type, id: idOf(place), position: place.position }));
  return {
    send({ events, through, caughtUp }: Batch) {
      for (const { json } of events) send(json);
      if (caughtUp) tell('caughtup', through);
      return isTaken();
    },
    drained: () => drained(socket),
    place(place) {
      tell('position', place);
      return isTaken();
    },
    beat() {
      if (isUnanswered) socket.terminate();
      else socket.ping();
      isUnanswered = true;
      return isTaken();
    },
    end({ code, message = code }) {
      send(JSON.stringify({ type: 'closing', code, message }));
      const isOver = code === 'Overloaded' ? tryAgainLater : goingAway;
      socket.close(code === 'InvalidJWT' ? policyViolation : isOver, message.slice(0, 100));
    },
    destroy: () => socket.terminate(),
    get isGone() {
      return socket.readyState === socket.CLOSED || socket.readyState === socket.CLOSING;
    },
  };
}

/** Resolves once all was taken that waited; for what is closing, once it is closed. */
function drained(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState === socket.CLOSED) return resolve();
    const done = () => {
      socket.off('close', done);
      resolve();
    };
    socket.once('close', done);
    // Its callback comes once this frame, and so all before it, was given to the system.
    if (socket.readyState === socket.OPEN) socket.ping(undefined, undefined, done);
  });
}
