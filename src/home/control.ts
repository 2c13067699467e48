/**
 * Control files: small JSON documents that recovery trusts, so each carries a check.
 *
 * A file is the document on one line and a seal on the next, `aerostore control 1 <name> <length>
 * <crc32>`, where the CRC covers the document and the name. It is replaced as a whole. A reader seals
 * the document again and compares the files byte for byte: no flipped bit, cut or appended byte
 * passes, and no file passes for another.
 */
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type Files, readFileIfPresent, removeIfPresent, replaceFile } from '#files';
import type { KeyspaceId, Position } from '../domain/names.ts';
import { ControlDamaged } from './errors.ts';
import type { Layout } from './layout.ts';

/** What a log's reader can hold against the log: its record at `position` had this chain value. */
export interface Witness {
  readonly position: Position;
  /** SHA-256, hex. */
  readonly chain: string;
  /** The random id of the views that were there, and the version of the code that projects them. */
  readonly viewsId: string;
  readonly projection: number;
  /** Unix ms. */
  readonly timeMs: number;
}

/** Written by a clean stop: the views have everything up to `position`. */
export type CleanMarker = Witness;

/** Written after a flush: the views have durably everything up to `position`. */
export interface Fence extends Omit<Witness, 'chain'> {
  /** Left out where the position is inside a frame. */
  readonly chain?: string;
  readonly totals: readonly FenceTotals[];
}

/** What a keyspace held at the fence's position. */
export type FenceTotals = readonly [
  keyspace: KeyspaceId,
  count: number,
  bytes: number,
  foreign: number,
];

/** Rejects with `ControlDamaged`; undefined where there is no such file. So do the readers below. */
export async function readControl(files: Files, path: string): Promise<unknown> {
  const bytes = await readFileIfPresent(files, path);
  if (bytes === undefined) return undefined;
  const lineEnd = bytes.indexOf(0x0a);
  const json = Buffer.from(bytes).toString('utf8', 0, Math.max(lineEnd, 0));
  if (!sealed(json, path).equals(bytes)) throw damaged(path, 'its seal does not fit');
  return JSON.parse(json);
}

/** Durable when it resolves. `document` must survive JSON. */
export async function writeControl(files: Files, path: string, document: unknown): Promise<void> {
  await replaceFile(files, path, { bytes: sealed(JSON.stringify(document), path) });
}

export async function readCleanMarker(
  files: Files,
  layout: Layout,
): Promise<CleanMarker | undefined> {
  const path = layout.cleanMarkerFile;
  const witness = witnessIn(await readControl(files, path), path);
  if (!witness) return undefined;
  const { chain } = witness;
  if (chain === undefined) throw damaged(path, 'it has no chain value');
  return { ...witness, chain };
}

export function writeCleanMarker(files: Files, layout: Layout, marker: CleanMarker): Promise<void> {
  return writeControl(files, layout.cleanMarkerFile, marker);
}

/** The marker's absence is durable when this resolves: nothing may be written to the log before. */
export async function removeCleanMarker(files: Files, layout: Layout): Promise<void> {
  const path = layout.cleanMarkerFile;
  await removeIfPresent(files, path);
  await files.syncDirectory(dirname(path));
}

export async function readFence(files: Files, layout: Layout): Promise<Fence | undefined> {
  const path = layout.fenceFile;
  const document = await readControl(files, path);
  const witness = witnessIn(document, path);
  if (!witness) return undefined;
  const { chain, ...place } = witness;
  const { totals } = document as { totals?: unknown };
  if (!Array.isArray(totals) || !totals.every(isTotals)) throw damaged(path, 'it has no totals');
  return { ...place, ...(chain === undefined ? {} : { chain }), totals };
}

export function writeFence(files: Files, layout: Layout, fence: Fence): Promise<void> {
  return writeControl(files, layout.fenceFile, fence);
}

/** Keeps a control file under a free name beside it, where recovery does not look; resolves to that path. */
export async function setControlAside(files: Files, path: string): Promise<string> {
  const taken = new Set((await files.list(dirname(path))).map(({ name }) => name));
  let name = `${basename(path)}.broken`;
  for (let count = 2; taken.has(name); count += 1) name = `${basename(path)}.broken-${count}`;
  const keptAs = join(dirname(path), name);
  await files.rename(path, keptAs);
  await files.syncDirectory(dirname(path));
  return keptAs;
}

function sealed(json: string, path: string): Buffer {
  const name = basename(path);
  const length = Buffer.byteLength(json);
  const crc = crc32(`${json}\n${name}`).toString(16).padStart(8, '0');
  return Buffer.from(`${json}\naerostore control 1 ${name} ${length} ${crc}\n`);
}

function witnessIn(
  document: unknown,
  path: string,
): (Omit<Witness, 'chain'> & { readonly chain: string | undefined }) | undefined {
  if (document === undefined) return undefined;
  const { position, chain, viewsId, projection, timeMs } = (document ?? {}) as Partial<
    Record<keyof Witness, unknown>
  >;
  if (
    !isWhole(position) ||
    !(chain === undefined || isChain(chain)) ||
    typeof viewsId !== 'string' ||
    !isWhole(projection) ||
    !isWhole(timeMs)
  ) {
    throw damaged(path, 'a field is missing or is not what it should be');
  }
  return { position: position as Position, chain, viewsId, projection, timeMs };
}

function isTotals(row: unknown): row is FenceTotals {
  return Array.isArray(row) && row.length === 4 && row.every(isWhole);
}

function isChain(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function damaged(path: string, what: string): ControlDamaged {
  return new ControlDamaged(
    `${path} is damaged at byte 0: ${what}. "aerostore wal repair" shows what it is needed for; with --accept-loss it sets the file aside, and the views are built anew from the log. Check the disk`,
  );
}
