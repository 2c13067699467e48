/**
 * A client that reads a stream of events and nothing else: it counts blocks, and of each chunk looks at
 * the first event, which waited longest.
 */
import { request } from 'node:http';

export interface Receiver {
  /** Blocks of events. */
  readonly count: number;
  readonly bytes: number;
  /** Since `measure`: from the timestamp of an event to when it was here. */
  readonly delaysMs: readonly number[];
  measure(): void;
  pause(): void;
  close(): void;
}

const mark = Buffer.from('\ndata: {"id"');

export function openReceiver(origin: string, path: string, token: string): Receiver {
  let count = 0;
  let bytes = 0;
  let isMeasured = false;
  const delaysMs: number[] = [];
  let rest = Buffer.alloc(0);
  const headers = { authorization: `Bearer ${token}` };
  const asked = request(origin + path, { headers, agent: false }, (response) => {
    if (response.statusCode !== 200) throw new Error(`${path}: ${response.statusCode}`);
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      // A mark may lie over the end of a chunk.
      const text = Buffer.concat([rest, chunk]);
      let at = text.indexOf(mark);
      if (isMeasured && at !== -1) note(text, at);
      for (; at !== -1; at = text.indexOf(mark, at + mark.length)) count += 1;
      rest = text.subarray(Math.max(text.length - mark.length + 1, 0));
    });
    response.on('error', () => undefined);
  });
  const note = (text: Buffer, at: number) => {
    const found = /"timestamp":"([^"]+)"/.exec(text.toString('latin1', at, at + 2_000));
    if (found?.[1]) delaysMs.push(Date.now() - Date.parse(found[1]));
  };
  asked.on('error', () => undefined);
  asked.end();
  return {
    get count() {
      return count;
    },
    get bytes() {
      return bytes;
    },
    delaysMs,
    measure() {
      isMeasured = true;
      count = 0;
    },
    pause: () => void asked.once('response', (response) => response.pause()),
    close: () => void asked.destroy(),
  };
}
