/**
 * JSON written piece by piece, for answers of a thousand rows: what JSON.stringify would write, without
 * an object for each row in between.
 */

/** Stands as it is: no quotes, backslashes or control characters, nor surrogates, which may lack a half. */
const plain = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/;

/** As JSON.stringify. */
export function jsonText(text: string | null): string {
  if (text === null) return 'null';
  return plain.test(text) ? `"${text}"` : JSON.stringify(text);
}

const secondMs = 1000;

/** The second that was told last: rows that stand together were often made together. */
let lastSecond = Number.NaN;
let lastText = '';

/** RFC 3339 in UTC with milliseconds, as toISOString. `unixMs` is whole. */
export function timeText(unixMs: number): string {
  const second = Math.floor(unixMs / secondMs);
  if (second !== lastSecond) {
    lastText = new Date(second * secondMs).toISOString().slice(0, -'000Z'.length);
    lastSecond = second;
  }
  const ms = unixMs - second * secondMs;
  return `${lastText}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`;
}
