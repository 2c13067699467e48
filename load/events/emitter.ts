/**
 * The baseline of events: a process that sends blocks like aerostore's over plain node:http, made once
 * and known to nobody. `/replay` sends as many as are asked for, as fast as they are taken; `/live`
 * holds a connection, to which `emit` sends so many a second, from memory, all connections in one turn.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';

export interface Emitter {
  readonly url: string;
  readonly pid: number;
  emit(perSecond: number, seconds: number): Promise<void>;
  stop(): Promise<void>;
}

interface Emission {
  readonly perSecond: number;
  readonly seconds: number;
}

export async function startEmitter(): Promise<Emitter> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), ['emit']);
  const [port] = (await once(child, 'message')) as [number];
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    async emit(perSecond, seconds) {
      const emission: Emission = { perSecond, seconds };
      child.send(emission);
      await once(child, 'message');
    },
    async stop() {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

/** As long as an event of a small upload. */
function block(position: number): string {
  const object = { id: 'x'.repeat(36), path: 'album-42/photo-0000042.jpg', more: 'x'.repeat(360) };
  const id = `1767225600000-${position}`;
  const event = {
    id: `evt_${id}`,
    type: 'storage.object.created',
    bucket: 'many',
    path: object.path,
  };
  const timestamp = new Date().toISOString();
  return `id: ${id}\ndata: ${JSON.stringify({ ...event, timestamp, position, object })}\n\n`;
}

if (process.argv[2] === 'emit') serve();

function serve(): void {
  const live = new Set<ServerResponse>();
  const server = createServer((incoming, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'text/event-stream' });
    outgoing.write(': events\n\n');
    const events = Number(/events=(\d+)/.exec(incoming.url ?? '')?.[1] ?? 0);
    if (events > 0) {
      void replay(outgoing, events);
      return;
    }
    live.add(outgoing);
    outgoing.once('close', () => live.delete(outgoing));
  });
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    process.send?.(typeof address === 'object' ? address?.port : 0);
  });
  process.on('message', (emission: Emission) => void emit(live, emission));
  process.once('disconnect', () => process.exit(0));
}

async function replay(outgoing: ServerResponse, events: number): Promise<void> {
  const text = block(1).repeat(100);
  for (let sent = 0; sent < events; sent += 100) {
    if (!outgoing.write(text)) await once(outgoing, 'drain');
  }
}

async function emit(live: ReadonlySet<ServerResponse>, { perSecond, seconds }: Emission) {
  const began = performance.now();
  for (let sent = 0; sent < perSecond * seconds; ) {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
    for (; sent < due && sent < perSecond * seconds; sent += 1) {
      const text = block(sent);
      for (const outgoing of live) outgoing.write(text);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  process.send?.('done');
}
