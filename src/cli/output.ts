/**
 * What commands print: tables for eyes on a terminal, cells with tabs between them in a pipe, JSON
 * where it was asked for. Nothing that came from a user can steer the terminal.
 */
import Table from 'cli-table3';
import type { Surroundings } from './surroundings.ts';

export type Cell = string | number | boolean | null | undefined;

export interface Rows {
  readonly head: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

export function writeTable(surroundings: Surroundings, { head, rows }: Rows): void {
  const cells = rows.map((row) => row.map(cellText));
  if (!surroundings.isTty) {
    for (const row of [head, ...cells]) surroundings.write(`${row.join('\t')}\n`);
    return;
  }
  const table = new Table({ head: [...head], style: { head: [], border: [] } });
  table.push(...cells);
  surroundings.write(`${table.toString()}\n`);
}

/** Names and values, one pair a line. */
export function writeFacts(
  surroundings: Surroundings,
  facts: readonly (readonly [name: string, value: Cell])[],
): void {
  const width = Math.max(...facts.map(([name]) => name.length)) + 2;
  for (const [name, value] of facts) {
    const label = surroundings.isTty ? name.padEnd(width) : `${name}\t`;
    surroundings.write(`${label}${cellText(value)}\n`);
  }
}

/** One line of JSON. */
export function writeJson(surroundings: Surroundings, value: unknown): void {
  surroundings.write(`${JSON.stringify(plain(value))}\n`);
}

export function cellText(cell: Cell): string {
  return cell === null || cell === undefined || cell === '' ? '-' : printable(String(cell));
}

/** RFC 3339, UTC, with milliseconds. */
export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** Control characters, line separators and overrides of direction, as their code points. */
function printable(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, escaped);
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** The value as JSON can have it: bytes in hex, large integers as text. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
}
