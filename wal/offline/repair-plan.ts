/**
 * What a repair of a damaged log would do: which part is the longest valid prefix, what lies behind
 * it, and which witnesses know of more. Reads every byte, changes nothing.
 *
 * One damage costs no record: a segment whose frames are all whole and on which the next one follows,
 * but whose trailer is damaged. The trailer is written anew.
 */
import { join } from 'node:path';
import { type Damage, LogCorrupt } from '../errors.ts';
import type { Files } from '../files.ts';
import { asBuffer, FRAME_MAGIC, segmentKey } from '../format.ts';
import { decodeFrameHeader } from '../frame.ts';
import type { Position } from '../log.ts';
import { type Scan, walkSegment } from '../recovery/scan.ts';
import { type Joint, mismatch, readHeader, same } from '../recovery/survey.ts';
import type { Witness } from '../recovery/witness.ts';
import {
  decodeSegmentHeader,
  isHeadless,
  listSegments,
  type SegmentHeader,
  type SegmentName,
} from '../segment.ts';

export interface RepairPlan {
  /** Each place that is not what was written, up to the end of what can be kept. */
  readonly damage: readonly Damage[];
  /** The last position of what is kept; 0 where nothing is. */
  readonly head: Position;
  /** Segments whose trailer is written anew behind `keptBytes`; nothing in them is lost. */
  readonly resealed: readonly KeptPart[];
  /** The segment that is kept up to `keptBytes`. */
  readonly cut: KeptPart | undefined;
  /** Whole files behind the damage, in position order. */
  readonly dropped: readonly SegmentFile[];
  readonly lost: Loss | undefined;
  /** The witnesses that know of another log than the one that is kept. */
  readonly contradicted: readonly Contradiction[];
}

export interface SegmentFile {
  readonly file: string;
  readonly sizeBytes: number;
}

export interface KeptPart extends SegmentFile {
  readonly keptBytes: number;
}

export interface Loss {
  readonly from: Position;
  /** The last position that is known of, `from` - 1 where none is; there may have been more. */
  readonly to: Position;
  /** Bytes of segments that are set aside. */
  readonly sizeBytes: number;
}

export interface Contradiction {
  readonly witness: Witness;
  readonly reason: string;
}

export async function planRepair(
  files: Files,
  directory: string,
  witnesses: readonly Witness[] = [],
): Promise<RepairPlan> {
  const { segments } = await listSegments(files, directory);
  const walk = new RepairWalk(witnesses);
  for (const [index, name] of segments.entries()) {
    const bytes = asBuffer(await files.readFile(join(directory, name.file)));
    const following = segments[index + 1];
    const next = following && (await headerOf(files, directory, following));
    walk.take({ name, bytes, isLast: following === undefined, next });
  }
  return walk.finish();
}

interface Visit {
  readonly name: SegmentName;
  readonly bytes: Buffer;
  readonly isLast: boolean;
  /** The header of the segment behind it, where there is a valid one. */
  readonly next: SegmentHeader | undefined;
}

class RepairWalk {
  readonly #witnesses: readonly Witness[];
  readonly #agreed = new Set<Witness>();
  readonly #damage: Damage[] = [];
  readonly #resealed: KeptPart[] = [];
  readonly #dropped: SegmentFile[] = [];
  #cut: KeptPart | undefined;
  #previous: (Joint & { readonly sealed: boolean }) | undefined;
  #head = 0 as Position;
  #oldest = 1 as Position;
  /** The last position that any frame or name speaks of. */
  #known = 0;
  /** Nothing behind this can be kept. */
  #ended = false;
  #logId: Uint8Array | undefined;

  constructor(witnesses: readonly Witness[]) {
    this.#witnesses = witnesses;
  }

  take(visit: Visit): void {
    const { name, bytes, isLast } = visit;
    // The beginning of a segment that had no frames yet: the next start sets it aside by itself.
    const unused = isLast && isHeadless(bytes) && (this.#previous?.sealed ?? true);
    if (unused && !this.#ended) return;
    const header = this.#ended ? undefined : this.#join(name, bytes);
    if (!header) {
      this.#drop(name, bytes);
      return;
    }
    if (this.#previous === undefined) this.#oldest = header.first;
    this.#logId = header.logId;
    this.#scan(visit, header);
  }

  finish(): RepairPlan {
    const head = this.#head;
    const contradicted = this.#witnesses.flatMap((witness) => this.#contradiction(witness) ?? []);
    const to = Math.max(this.#known, ...contradicted.map(({ witness }) => witness.position));
    const cutBytes = this.#cut ? this.#cut.sizeBytes - this.#cut.keptBytes : 0;
    const sizeBytes = this.#dropped.reduce((sum, file) => sum + file.sizeBytes, cutBytes);
    const from = (head + 1) as Position;
    const loses = sizeBytes > 0 || to > head;
    return {
      damage: this.#damage,
      head,
      resealed: this.#resealed,
      cut: this.#cut,
      dropped: this.#dropped,
      lost: loses ? { from, to: Math.max(to, head) as Position, sizeBytes } : undefined,
      contradicted,
    };
  }

  /** The header of a segment that follows on what is kept; otherwise what keeps it from that is noted. */
  #join(name: SegmentName, bytes: Buffer): SegmentHeader | undefined {
    const { file, first: position } = name;
    try {
      const header = readHeader(bytes, name);
      const reason = mismatch(this.#previous, header);
      if (reason === undefined) return header;
      this.#damage.push({ file, offset: 0, position, reason });
    } catch (cause) {
      if (!(cause instanceof LogCorrupt)) throw cause;
      this.#damage.push({ file, offset: 0, position, reason: cause.reason });
    }
    return undefined;
  }

  #scan({ name, bytes, isLast, next }: Visit, header: SegmentHeader): void {
    this.#witness((header.first - 1) as Position, header.previousChain);
    const walk = walkSegment(bytes, header);
    let step = walk.next();
    for (; !step.done; step = walk.next()) this.#witness(step.value.last, step.value.chain);
    const scan = step.value;
    const { last, chain, timeMs, sealed } = scan;
    this.#head = last;
    this.#known = Math.max(this.#known, last);
    this.#previous = { header, end: { last, chain, timeMs }, sealed };
    const damage = damageIn(scan, { file: name.file, isLast });
    if (!damage) return;
    this.#damage.push(damage);
    const kept = { file: name.file, sizeBytes: bytes.length, keptBytes: scan.end };
    if (next && mismatch(this.#previous, next) === undefined) {
      this.#resealed.push(kept);
      return;
    }
    this.#ended = true;
    this.#known = Math.max(this.#known, lastNamed(bytes, header));
    if (kept.keptBytes < kept.sizeBytes) this.#cut = kept;
  }

  #drop({ file, first }: SegmentName, bytes: Buffer): void {
    this.#ended = true;
    this.#dropped.push({ file, sizeBytes: bytes.length });
    const logId = this.#logId;
    const named = logId ? lastNamed(bytes, { logId, first }) : 0;
    this.#known = Math.max(this.#known, first - 1, named);
  }

  #witness(position: Position, chain: Uint8Array): void {
    for (const witness of this.#witnesses) {
      if (witness.position !== position || witness.chain === undefined) continue;
      if (same(witness.chain, chain)) this.#agreed.add(witness);
    }
  }

  #contradiction(witness: Witness): Contradiction | undefined {
    const { position, chain } = witness;
    if (position > this.#head) {
      return { witness, reason: `it knows of position ${position}` };
    }
    const wasTruncated = position < this.#oldest - 1;
    if (chain === undefined || wasTruncated || this.#agreed.has(witness)) return undefined;
    return { witness, reason: `it remembers another chain value at position ${position}` };
  }
}

function damageIn(
  { fault, sealed, end, last }: Scan,
  { file, isLast }: { readonly file: string; readonly isLast: boolean },
): Damage | undefined {
  if (fault && !(isLast && fault.torn)) {
    const { offset, position, reason } = fault;
    return { file, offset, position, reason };
  }
  if (sealed || isLast) return undefined;
  const position = (last + 1) as Position;
  return { file, offset: end, position, reason: 'there is no trailer, but a segment follows' };
}

/** The last position that a frame header anywhere in `bytes` speaks of; 0 where there is none. */
function lastNamed(
  bytes: Buffer,
  segment: { readonly logId: Uint8Array; readonly first: Position },
): number {
  const key = segmentKey(segment);
  let last = 0;
  for (let at = bytes.indexOf(FRAME_MAGIC); at >= 0; at = bytes.indexOf(FRAME_MAGIC, at + 1)) {
    const header = at % 8 === 0 ? decodeFrameHeader(bytes, at, key) : undefined;
    if (header?.ok) last = Math.max(last, header.value.first + header.value.count - 1);
  }
  return last;
}

async function headerOf(
  files: Files,
  directory: string,
  name: SegmentName,
): Promise<SegmentHeader | undefined> {
  const header = decodeSegmentHeader(asBuffer(await files.readFile(join(directory, name.file))));
  return header.ok && header.value.first === name.first ? header.value : undefined;
}
