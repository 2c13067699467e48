/** Lists of `in`: `(a,b,"c,d")`. In quotes, `\` takes the next character literally. */

/** The values; undefined where `text` is not a list. Costs one walk over it. */
export function parseList(text: string): string[] | undefined {
  if (!text.startsWith('(') || !text.endsWith(')') || text.length < 2) return undefined;
  if (text === '()') return [];
  const end = text.length - 1;
  const values: string[] = [];
  let at = 1;
  for (;;) {
    const value = text.charAt(at) === '"' ? quoted(text, at) : plain(text, at, end);
    if (value === undefined) return undefined;
    values.push(value.text);
    if (value.next === end) return values;
    if (value.next > end || text.charAt(value.next) !== ',') return undefined;
    at = value.next + 1;
  }
}

interface Piece {
  readonly text: string;
  readonly next: number;
}

function plain(text: string, at: number, end: number): Piece {
  const comma = text.indexOf(',', at);
  const next = comma < 0 || comma > end ? end : comma;
  return { text: text.slice(at, next), next };
}

function quoted(text: string, at: number): Piece | undefined {
  let value = '';
  for (let index = at + 1; index < text.length; index += 1) {
    const unit = text.charAt(index);
    if (unit === '"') return { text: value, next: index + 1 };
    if (unit === '\\') index += 1;
    value += unit === '\\' ? text.charAt(index) : unit;
  }
  return undefined;
}
