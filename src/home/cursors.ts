/**
 * How far those who follow the log have come, one control file each in `cursors/`: neither log nor
 * view. A file is replaced at most once a second, by write, fsync and rename; losing what came after
 * the last one means to hear of something twice, never to miss it.
 */
import { join } from 'node:path';
import { type Files, removeIfPresent } from '#files';
import { readControl, setControlAside, writeControl } from './control.ts';
import { ControlDamaged } from './errors.ts';
import type { Layout } from './layout.ts';

export interface CursorOptions {
  readonly files: Files;
  readonly layout: Pick<Layout, 'cursors'>;
  /** Unix ms. */
  readonly now: () => number;
  /** Resolves after that many ms; rejects where the signal aborts. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  /** A file could not be written (it is tried again), or was set aside, for it was not what was written. */
  readonly onFault: (name: string, fault: unknown) => void;
}

export interface Cursors {
  /** What was kept last under the name, as far as it reached the disk; undefined for nothing. */
  read(name: string): Promise<unknown>;
  /** Durable within about a second, or with `flush`. `document` survives JSON. */
  keep(name: string, document: unknown): void;
  /** What was kept under the name is durable when it resolves. */
  flush(name: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Removes all but `names`: for a start, when nothing is kept yet. */
  keepOnly(names: ReadonlySet<string>): Promise<void>;
  /** Writes what is not yet written. Nothing may be kept after it. */
  close(): Promise<void>;
}

export const writeEveryMs = 1_000;

interface Entry {
  document: unknown;
  /** Counts what was kept; what is written is told by the count at that time. */
  kept: number;
  written: number;
  writtenMs: number;
  isWaiting: boolean;
  writing: Promise<void>;
}

export function openCursors(options: CursorOptions): Cursors {
  return new CursorFiles(options);
}

class CursorFiles implements Cursors {
  readonly #options: CursorOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();

  constructor(options: CursorOptions) {
    this.#options = options;
  }

  async read(name: string): Promise<unknown> {
    const { files, onFault } = this.#options;
    const kept = this.#entries.get(name);
    if (kept) return kept.document;
    const path = this.#path(name);
    try {
      return await readControl(files, path);
    } catch (fault) {
      if (!(fault instanceof ControlDamaged)) throw fault;
      await setControlAside(files, path);
      onFault(name, fault);
      return undefined;
    }
  }

  keep(name: string, document: unknown): void {
    const entry = this.#entries.get(name) ?? newEntry();
    this.#entries.set(name, entry);
    entry.document = document;
    entry.kept += 1;
    if (!entry.isWaiting) void this.#writeSoon(name, entry);
  }

  async flush(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (entry) await this.#write(name, entry);
  }

  async remove(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    this.#entries.delete(name);
    await entry?.writing.catch(() => undefined);
    await this.#removeFile(name);
  }

  async keepOnly(names: ReadonlySet<string>): Promise<void> {
    const { files, layout } = this.#options;
    for (const { name } of await files.list(layout.cursors)) {
      if (!names.has(name) && !name.includes('.broken')) await this.#removeFile(name);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const [name, entry] of this.#entries) await this.#write(name, entry);
  }

  /** Goes on until nothing is left to write; a fault is told, and tried again a second later. */
  async #writeSoon(name: string, entry: Entry): Promise<void> {
    const { now, pause, onFault } = this.#options;
    const { signal } = this.#closing;
    entry.isWaiting = true;
    try {
      while (entry.written < entry.kept && !signal.aborted && this.#entries.has(name)) {
        const waitMs = Math.min(entry.writtenMs + writeEveryMs - now(), writeEveryMs);
        if (waitMs > 0) await pause(waitMs, signal).catch(() => undefined);
        if (signal.aborted) return;
        await this.#write(name, entry).catch((fault: unknown) => onFault(name, fault));
      }
    } finally {
      entry.isWaiting = false;
    }
  }

  #write(name: string, entry: Entry): Promise<void> {
    const writing = entry.writing
      .catch(() => undefined)
      .then(async () => {
        if (entry.written === entry.kept || this.#entries.get(name) !== entry) return;
        const { kept, document } = entry;
        entry.writtenMs = this.#options.now();
        await writeControl(this.#options.files, this.#path(name), document);
        entry.written = kept;
      });
    entry.writing = writing;
    writing.catch(() => undefined);
    return writing;
  }

  async #removeFile(name: string): Promise<void> {
    const { files, layout } = this.#options;
    await removeIfPresent(files, join(layout.cursors, name));
  }

  #path(name: string): string {
    if (!/^[a-z]+-[A-Za-z0-9-]{1,64}$/.test(name)) throw new Error(`${name} is no cursor's name`);
    return join(this.#options.layout.cursors, name);
  }
}

function newEntry(): Entry {
  return {
    document: undefined,
    kept: 0,
    written: 0,
    writtenMs: Number.NEGATIVE_INFINITY,
    isWaiting: false,
    writing: Promise.resolve(),
  };
}
