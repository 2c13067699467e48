/**
 * Group commit of needles. One loop takes what waits, writes it behind the last needle of the current
 * pack, syncs the data and resolves; while one batch is synced the next one gathers, and that of the log
 * runs beside it. There is no timer. What waits is bounded by who brings it: each caller holds one body.
 *
 * A pack whose write or sync failed gets no further byte: after a failed sync nobody knows what the disk
 * holds, and a later one may claim success. The batch fails, nothing of it was promised to anyone, and
 * the next batch begins a new pack. So a disk that fails for a while does not end the process, as it must
 * when the log fails: no record refers to what was not written.
 */
import { dirname, join } from 'node:path';
import type { Files, OpenFile } from '#files';
import type { BlobId } from '../../domain/names.ts';
import {
  encodeFooter,
  encodePackHeader,
  type Needle,
  type NeedleDraft,
  PACK_HEADER_BYTES,
  type PackKey,
  packKey,
  packName,
  placeNeedle,
} from './format.ts';

/** Where a needle lies in which pack. */
export interface Place extends Needle {
  readonly pack: number;
}

export interface PackLimits {
  /** A pack gets no further batch from this size on. */
  readonly packBytes: number;
  readonly packNeedles: number;
}

export interface PackWriterOptions {
  readonly files: Files;
  readonly directory: string;
  /** Bytes from a cryptographic source. */
  readonly newPackId: () => Uint8Array;
  readonly now: () => number;
  readonly limits: PackLimits;
  /** Higher than that of any pack there ever was. */
  readonly firstNumber: number;
  /** A pack that counts from now on. */
  readonly onBegun: (pack: number) => void;
  /** The current pack gets nothing more. */
  readonly onEnded: (pack: number, end: PackEnd) => void;
}

/** `given up`: nothing was in it, so it was removed. `broken`: it is not sealed, because of `fault`. */
export type PackEnd =
  | { readonly kind: 'sealed' }
  | { readonly kind: 'given up' | 'broken'; readonly fault: unknown };

/** Called before `append` resolves, in the turn in which the needle has become durable. */
type OnDurable = (place: Place) => void;

interface Pending {
  readonly onDurable: OnDurable;
  readonly draft: NeedleDraft;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

interface OpenPack {
  readonly key: PackKey;
  readonly file: OpenFile;
  readonly needles: Needle[];
  end: number;
}

const batchNeedles = 512;
const batchBytes = 4 * 1024 * 1024;

export class PackWriter {
  readonly #options: PackWriterOptions;
  readonly #queue: Pending[] = [];
  #pack: OpenPack | undefined;
  #nextNumber: number;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: PackWriterOptions) {
    this.#options = options;
    this.#nextNumber = options.firstNumber;
  }

  /** Resolves once the needle is durable, with its pack. */
  append(draft: NeedleDraft, onDurable: OnDurable): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the packs are closed'));
    return new Promise((resolve, reject) => {
      this.#queue.push({ draft, onDurable, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Writes what waits and seals the current pack. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
    await this.#seal();
  }

  async #run(): Promise<void> {
    await turn();
    while (this.#queue.length > 0) {
      await this.#commit(this.#take());
      await turn();
    }
    this.#running = undefined;
  }

  #take(): Pending[] {
    let sizeBytes = 0;
    let count = 0;
    for (const { draft } of this.#queue) {
      sizeBytes += draft.image.length;
      if (count > 0 && (count >= batchNeedles || sizeBytes > batchBytes)) break;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** Never rejects: those who wait are told. */
  async #commit(batch: readonly Pending[]): Promise<void> {
    try {
      const pack = await this.#roomyPack();
      const places = await writeBatch(pack, batch);
      batch.forEach(({ onDurable, resolve }, index) => {
        const place = places[index];
        if (place) onDurable(place);
        resolve();
      });
    } catch (cause) {
      await this.#abandon(cause);
      for (const { reject } of batch) reject(cause);
    }
  }

  async #roomyPack(): Promise<OpenPack> {
    const { packBytes, packNeedles } = this.#options.limits;
    const pack = this.#pack;
    if (pack && (pack.end >= packBytes || pack.needles.length >= packNeedles)) await this.#seal();
    this.#pack ??= await this.#begin();
    return this.#pack;
  }

  /** Header and name are durable before the first needle is written. */
  async #begin(): Promise<OpenPack> {
    const { files, directory, newPackId, now, onBegun } = this.#options;
    const number = this.#nextNumber;
    // A number is used once, also where its file could not be made or removed.
    this.#nextNumber += 1;
    const key = packKey(newPackId(), number);
    const file = await files.open(join(directory, packName(number)), 'create');
    try {
      await file.write([encodePackHeader(key, now())], 0);
      await file.sync();
      await files.syncDirectory(directory);
    } catch (cause) {
      await letGo(files, file);
      throw cause;
    }
    onBegun(number);
    return { key, file, needles: [], end: PACK_HEADER_BYTES };
  }

  /** Its last bytes become the footer. A pack that can't be sealed is sealed by the next start. */
  async #seal(): Promise<void> {
    const pack = this.#pack;
    if (!pack) return;
    this.#pack = undefined;
    let end: PackEnd = { kind: 'sealed' };
    try {
      await pack.file.write([encodeFooter(pack.key, pack.needles, pack.end)], pack.end);
      await pack.file.sync();
    } catch (fault) {
      end = { kind: 'broken', fault };
    }
    await pack.file.close().catch(() => undefined);
    this.#options.onEnded(pack.key.number, end);
  }

  async #abandon(fault: unknown): Promise<void> {
    const pack = this.#pack;
    if (!pack) return;
    this.#pack = undefined;
    const { files, onEnded } = this.#options;
    // Where no needle was ever acknowledged nothing is lost; on a full disk they would pile up.
    const isEmpty = pack.needles.length === 0;
    if (isEmpty) await letGo(files, pack.file);
    else await pack.file.close().catch(() => undefined);
    onEnded(pack.key.number, { kind: isEmpty ? 'given up' : 'broken', fault });
  }
}

async function writeBatch(pack: OpenPack, batch: readonly Pending[]): Promise<Place[]> {
  const { key, file } = pack;
  const places: Place[] = [];
  let end = pack.end;
  for (const { draft } of batch) {
    placeNeedle(draft, key, end);
    places.push({ pack: key.number, offset: end, ...factsOf(draft) });
    end += draft.image.length;
  }
  await file.write(
    batch.map(({ draft }) => draft.image),
    pack.end,
  );
  await file.dataSync();
  pack.end = end;
  for (const { blobId, offset, length } of places) pack.needles.push({ blobId, offset, length });
  return places;
}

function factsOf({ blobId, length }: NeedleDraft): { blobId: BlobId; length: number } {
  return { blobId, length };
}

/** Removes a pack that nobody needs; what is left of it the next start removes or seals. */
async function letGo(files: Files, file: OpenFile): Promise<void> {
  await file.close().catch(() => undefined);
  await files.remove(file.path).catch(() => undefined);
  await files.syncDirectory(dirname(file.path)).catch(() => undefined);
}

/** Resolves after the callbacks and promise reactions that are due now, before any input or output. */
function turn(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
