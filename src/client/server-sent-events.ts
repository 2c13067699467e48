/** A stream of server-sent events as blocks (HTML Standard §9.2.6). */

export interface Block {
  readonly event?: string;
  readonly id?: string;
  readonly data?: string;
}

/** `heard` is called for whatever comes, signs of life too. Who stops reading ends the request. */
export async function* blocksOf(
  body: ReadableStream<Uint8Array>,
  heard: () => void,
): AsyncGenerator<Block, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let fields = new Map<string, string>();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line !== '') addField(fields, line);
        else if (fields.size > 0) {
          yield Object.fromEntries(fields);
          fields = new Map();
        }
      }
    }
  } finally {
    reader.releaseLock();
  }
}

function addField(fields: Map<string, string>, line: string): void {
  const colon = line.indexOf(':');
  const name = colon === -1 ? line : line.slice(0, colon);
  const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
  if (name === 'data' && fields.has('data')) fields.set('data', `${fields.get('data')}\n${value}`);
  else if (name === 'data' || name === 'event' || name === 'id') fields.set(name, value);
}
