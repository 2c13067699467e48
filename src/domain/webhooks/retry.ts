/**
 * When a delivery that failed is tried again, and when no more. Ten tries in about three days; then
 * the event is parked and the endpoint goes on with the next.
 */
const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** What is waited before each try, from the end of the one before. */
export const tryAfterMs: readonly number[] = [
  0,
  5 * secondMs,
  5 * minuteMs,
  30 * minuteMs,
  2 * hourMs,
  5 * hourMs,
  10 * hourMs,
  14 * hourMs,
  20 * hourMs,
  24 * hourMs,
];

/** A part of the wait by which it is made longer at most, so that endpoints don't come back at once. */
const jitter = 0.1;
/** However long a receiver asks to be left alone. */
const longestAskedMs = 24 * hourMs;

export interface Failed {
  /** Tries so far, this one included. */
  readonly tries: number;
  /** What the receiver asked for by Retry-After. */
  readonly askedMs: number | undefined;
  /** From 0 up to 1, not included. */
  readonly random: number;
}

/** How long to wait before the next try, ms; undefined where the last one was made. */
export function waitAfter({ tries, askedMs = 0, random }: Failed): number | undefined {
  const planned = tryAfterMs[tries];
  if (planned === undefined) return undefined;
  const waited = Math.max(planned, Math.min(askedMs, longestAskedMs));
  return Math.round(waited * (1 + jitter * random));
}

/** RFC 9110 §10.2.3: seconds or a date; undefined where it is neither or lies in the past. */
export function retryAfterMs(
  text: string | undefined,
  { nowMs, parseDate }: { readonly nowMs: number; readonly parseDate: (text: string) => number },
): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text.trim()) * secondMs;
  const dateMs = parseDate(text);
  return dateMs > nowMs ? dateMs - nowMs : undefined;
}
