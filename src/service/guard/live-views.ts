/**
 * The views of a running store, which can be built anew while it runs. To everyone else they are one
 * thing that stays; behind it, damaged views are closed, removed and made again from the log's start,
 * and followed from there. Meanwhile nothing is answered: the store is not ready.
 *
 * Not beside the old ones: nobody may read those any more, the log is the truth, and a disk that is
 * short of space need not hold both. A crash on the way leaves views that nothing vouches for, which
 * the next start builds anew.
 *
 * Promises: a record that is appended meanwhile is applied to the new views before its writer is
 * answered; a rebuild that fails ends the process.
 */
import type { Observe } from '../../domain/effects.ts';
import type { Position } from '../../domain/names.ts';
import type { Journal } from '../../journal/index.ts';
import type { Applier } from '../../views/applier.ts';
import {
  type VerifyViewsOptions,
  type ViewsVerification,
  verifyViews,
} from '../../views/verify.ts';
import { type Views, ViewsDamaged } from '../../views/views.ts';
import type { HealthMonitor } from '../health.ts';
import type { LevelViews } from '../recovery.ts';

export interface LiveViewsParts {
  readonly recovered: LevelViews;
  readonly journal: Journal;
  readonly health: HealthMonitor;
  readonly observe: Observe;
  /** Makes new views; the old ones are closed. */
  readonly rebuild: () => Promise<LevelViews>;
  /** Called once new views are there and may be read. */
  readonly onRebuilt: () => void;
}

export interface LiveViews {
  readonly views: Views;
  readonly applier: Pick<Applier, 'applied' | 'finalizedPosition' | 'waitFor'>;
  /** Those of now; nobody keeps them. */
  readonly current: LevelViews;
  /** Resolves, with the cause, when the views can't follow the log any more. */
  readonly failed: Promise<unknown>;
  /** Tells of damage: the views are built anew, once. */
  damaged(damage: ViewsDamaged): void;
  /** Builds the views anew; resolves when they are level with the log. */
  rebuild(): Promise<void>;
  /** Looks at every row of the views of now. */
  verify(options: VerifyViewsOptions): Promise<ViewsVerification>;
  /** Resolves when no rebuild is under way. */
  settled(): Promise<void>;
  /** The journal is closed: resolves when the views have all of it. No rebuild begins any more. */
  finish(): Promise<void>;
}

const trouble = 'views';
const reason = 'the views are being built anew from the log';

export function followViews(parts: LiveViewsParts): LiveViews {
  return new Following(parts);
}

class Following implements LiveViews {
  readonly views: Views;
  readonly failed: Promise<unknown>;
  readonly #parts: LiveViewsParts;
  #current: LevelViews;
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #rebuilding: Promise<void> | undefined;
  #closing = false;
  #fail: (cause: unknown) => void = () => {};

  constructor(parts: LiveViewsParts) {
    this.#parts = parts;
    this.#current = parts.recovered;
    this.views = facade(this);
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    this.#follow();
  }

  get current(): LevelViews {
    return this.#current;
  }

  get readable(): Views {
    if (this.#rebuilding) throw new ViewsDamaged(reason);
    return this.#current.views;
  }

  get applier(): LiveViews['applier'] {
    const current = () => this.#current.applier;
    return {
      get applied() {
        return current().applied;
      },
      get finalizedPosition() {
        return current().finalizedPosition;
      },
      waitFor: (position) => this.#waitFor(position),
    };
  }

  damaged(damage: ViewsDamaged): void {
    if (this.#rebuilding || this.#closing) return;
    this.#parts.observe.error('the views are damaged', { fault: damage.message });
    this.rebuild().catch(() => {});
  }

  rebuild(): Promise<void> {
    if (this.#closing) return Promise.reject(new Error('the store is closing'));
    this.#rebuilding ??= this.#rebuild()
      .catch((cause: unknown) => {
        this.#fail(cause);
        throw cause;
      })
      .finally(() => {
        this.#rebuilding = undefined;
      })
      // Not before: until then every read is refused.
      .then(() => this.#parts.onRebuilt());
    return this.#rebuilding;
  }

  async verify(options: VerifyViewsOptions): Promise<ViewsVerification> {
    if (this.#rebuilding) throw new ViewsDamaged(reason);
    return verifyViews(this.#current.store, options);
  }

  async settled(): Promise<void> {
    await this.#rebuilding?.catch(() => {});
  }

  async finish(): Promise<void> {
    this.#closing = true;
    await this.settled();
    await this.#running;
  }

  async #rebuild(): Promise<void> {
    const { health, observe, rebuild } = this.#parts;
    health.restrict(trouble, { reason, closes: 'everything' });
    observe.warn(reason);
    const { applier, store } = this.#current;
    this.#stop.abort();
    await this.#running;
    await applier.close();
    await store.close();
    this.#current = await rebuild();
    this.#follow();
    health.mend(trouble);
    observe.info('the views are built anew', { applied: this.#current.applier.applied });
  }

  #follow(): void {
    const { journal, observe } = this.#parts;
    const { applier } = this.#current;
    this.#stop = new AbortController();
    const frames = journal.follow(applier.applied, this.#stop.signal);
    this.#running = applier.run(frames).catch((fault: unknown) => {
      observe.error('the views could not follow the log', { fault: String(fault) });
    });
    void applier.failed.then((cause) => {
      if (cause instanceof ViewsDamaged && !this.#closing) this.damaged(cause);
      else this.#fail(cause);
    });
  }

  /** Whoever waits while the views are built anew waits for the new ones. */
  async #waitFor(position: Position): Promise<void> {
    for (;;) {
      const { applier } = this.#current;
      try {
        await applier.waitFor(position);
        return;
      } catch (fault) {
        const cause = fault instanceof Error ? fault.cause : undefined;
        if (cause instanceof ViewsDamaged) this.damaged(cause);
        if (!this.#rebuilding && applier === this.#current.applier) throw fault;
        await this.#rebuilding;
      }
    }
  }
}

/**
 * The views of the moment under one name, each read passed on as it is. Damage that a read meets is
 * told, whoever reads.
 */
function facade(live: Following): Views {
  const note = (fault: unknown): never => {
    if (fault instanceof ViewsDamaged) live.damaged(fault);
    throw fault;
  };
  const read = (name: keyof Views, values: unknown[]): unknown => {
    try {
      const views = live.readable;
      const method = views[name] as (...values: unknown[]) => unknown;
      const found = method.apply(views, values);
      if (found instanceof Promise) return found.catch(note);
      return isIterable(found) ? noting(found, note) : found;
    } catch (fault) {
      return note(fault);
    }
  };
  return new Proxy({} as Views, {
    get: (_, name) =>
      name === 'applied'
        ? live.current.views.applied
        : (...values: unknown[]) => read(name as keyof Views, values),
  });
}

function isIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

async function* noting(values: AsyncIterable<unknown>, note: (fault: unknown) => never) {
  try {
    yield* values;
  } catch (fault) {
    note(fault);
  }
}
