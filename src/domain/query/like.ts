/**
 * Patterns of `like`: `*` and `%` stand for any run of characters, `\` before one of them or before
 * itself takes it literally, and everything else is itself.
 *
 * Promise: a match costs no more than the pattern and the text together. Each piece between two
 * wildcards is looked for by Knuth, Morris and Pratt's search, and taking the first place is always
 * right, for what follows may only lie behind it.
 */
export interface LikePattern {
  /** What every match begins with. */
  readonly prefix: string;
  matches(text: string): boolean;
}

export function compileLike(pattern: string): LikePattern {
  const [prefix = '', ...rest] = piecesOf(pattern);
  const suffix = rest.pop();
  if (suffix === undefined) return { prefix, matches: (text) => text === prefix };
  const middle = rest.filter((piece) => piece !== '').map(createSearch);
  const matches = (text: string): boolean => {
    const end = text.length - suffix.length;
    if (end < prefix.length || !text.startsWith(prefix) || !text.endsWith(suffix)) return false;
    let at = prefix.length;
    for (const search of middle) {
      at = search(text, at, end);
      if (at < 0) return false;
    }
    return true;
  };
  return { prefix, matches };
}

/** The literal text before, between and after the wildcards. */
function piecesOf(pattern: string): string[] {
  const pieces: string[] = [];
  let piece = '';
  for (let index = 0; index < pattern.length; index += 1) {
    const unit = pattern.charAt(index);
    const next = pattern.charAt(index + 1);
    if (unit === '\\' && (next === '*' || next === '%' || next === '\\')) {
      piece += next;
      index += 1;
    } else if (unit === '*' || unit === '%') {
      pieces.push(piece);
      piece = '';
    } else {
      piece += unit;
    }
  }
  return [...pieces, piece];
}

/** Finds `piece` in text[from, end): the place behind it, or -1. */
function createSearch(piece: string): (text: string, from: number, end: number) => number {
  const borders = bordersOf(piece);
  return (text, from, end) => {
    let matched = 0;
    for (let index = from; index < end; index += 1) {
      const unit = text.charCodeAt(index);
      while (matched > 0 && unit !== piece.charCodeAt(matched)) matched = borders[matched - 1] ?? 0;
      if (unit === piece.charCodeAt(matched)) matched += 1;
      if (matched === piece.length) return index + 1;
    }
    return -1;
  };
}

/** For each beginning of `piece`, the length of its longest proper beginning that also ends it. */
function bordersOf(piece: string): number[] {
  const borders = [0];
  let border = 0;
  for (let index = 1; index < piece.length; index += 1) {
    const unit = piece.charCodeAt(index);
    while (border > 0 && unit !== piece.charCodeAt(border)) border = borders[border - 1] ?? 0;
    if (unit === piece.charCodeAt(border)) border += 1;
    borders.push(border);
  }
  return borders;
}
