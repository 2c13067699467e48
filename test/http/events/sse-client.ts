/** Server-sent events read off a response by the letter, block by block: what is there, not what a client makes of it. */
import { until } from '../support/door.ts';
import type { StoreDoor } from '../support/store-door.ts';

export interface Block {
  readonly event?: string;
  readonly id?: string;
  readonly data?: string;
  readonly comment?: string;
}

export class SseClient {
  readonly blocks: Block[] = [];
  readonly response: Response;
  isOver = false;
  readonly #stop: AbortController;
  #rest = '';

  constructor(response: Response, stop: AbortController) {
    this.response = response;
    this.#stop = stop;
    this.#read().catch(() => {
      this.isOver = true;
    });
  }

  /** Those that are events of the store. */
  get events(): readonly Record<string, unknown>[] {
    return this.blocks
      .filter(({ event, data }) => event === undefined && data !== undefined)
      .map(({ data }) => JSON.parse(data ?? '') as Record<string, unknown>);
  }

  named(name: string): Block | undefined {
    return this.blocks.find(({ event }) => event === name);
  }

  async until(condition: (client: this) => boolean): Promise<this> {
    await until(() => condition(this) || this.isOver);
    if (!condition(this)) throw new Error(`it ended before: ${JSON.stringify(this.blocks)}`);
    return this;
  }

  async over(): Promise<this> {
    await until(() => this.isOver);
    return this;
  }

  stop(): void {
    this.#stop.abort();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.response.body ?? []) {
      this.#rest += decoder.decode(chunk, { stream: true });
      const parts = this.#rest.split('\n\n');
      this.#rest = parts.pop() ?? '';
      this.blocks.push(...parts.map(blockOf));
    }
    this.isOver = true;
  }
}

function blockOf(text: string): Block {
  const fields = text.split('\n').map((line): [string, string] => {
    const match = /^(\w*): ?(.*)$/.exec(line);
    if (!match) throw new Error(`not a field: ${line}`);
    return [match[1] === '' ? 'comment' : (match[1] ?? ''), match[2] ?? ''];
  });
  if (new Set(fields.map(([name]) => name)).size !== fields.length) {
    throw new Error(`a field stands twice: ${text}`);
  }
  return Object.fromEntries(fields);
}

export interface SseInit {
  readonly as?: string | null;
  readonly headers?: Record<string, string>;
}

export async function sse(door: StoreDoor, query = '', init: SseInit = {}): Promise<SseClient> {
  const stop = new AbortController();
  const response = await door.call(`/events${query}`, { ...init, signal: stop.signal });
  return new SseClient(response, stop);
}
