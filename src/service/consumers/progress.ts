/**
 * How far each consumer has come: what was acknowledged, and what was looked through beyond it while
 * nothing of the consumer's came. It is no record: losing the last second of it means to be given
 * some events again.
 */
import type { ConsumerRow } from '../../domain/consumers/consumer.ts';
import type { Position } from '../../domain/names.ts';
import type { Rejection } from '../../domain/rejection.ts';
import type { Cursors } from '../../home/cursors.ts';
import type { Place, Subscription } from '../subscriptions/subscriptions.ts';
import { Reading } from './reading.ts';

export const cursorOf = (id: string) => `consumer-${id}`;

interface Known {
  at: Place;
  reading: Reading | undefined;
  /** The furthest that any reader of this process can have been told of. */
  told: Position;
}

export class ConsumerProgress {
  readonly #cursors: Pick<Cursors, 'read' | 'keep' | 'remove'>;
  readonly #known = new Map<string, Promise<Known>>();

  constructor(cursors: Pick<Cursors, 'read' | 'keep' | 'remove'>) {
    this.#cursors = cursors;
  }

  async at(consumer: ConsumerRow): Promise<Place> {
    return this.#settle(consumer, await this.#of(consumer));
  }

  async isConnected(consumer: ConsumerRow): Promise<boolean> {
    return (await this.#of(consumer)).reading !== undefined;
  }

  /** Where it can have been told of nothing beyond, in this process. */
  async told(consumer: ConsumerRow): Promise<Position> {
    const known = await this.#of(consumer);
    return Math.max(known.told, known.reading?.known ?? 0) as Position;
  }

  /** An acknowledgement of less than what is acknowledged changes nothing. */
  async acknowledge(consumer: ConsumerRow, place: Place): Promise<Place> {
    const known = await this.#of(consumer);
    if (place.position > known.at.position) this.#move(consumer, known, place);
    return this.#settle(consumer, known);
  }

  /** The reader of now; the one before is ended with `reason`. */
  async read(
    consumer: ConsumerRow,
    subscription: Subscription,
    reason: Rejection,
  ): Promise<Subscription> {
    const known = await this.#of(consumer);
    known.reading?.end(reason);
    const reading = new Reading(subscription, () => {
      this.#settle(consumer, known);
      known.told = Math.max(known.told, reading.known) as Position;
      if (known.reading === reading) known.reading = undefined;
    });
    known.reading = reading;
    return reading;
  }

  /** The reader of now is ended, where there is one. */
  async end(id: string, reason: Rejection): Promise<void> {
    const known = await this.#known.get(id)?.catch(() => undefined);
    known?.reading?.end(reason);
  }

  async forget(id: string, reason: Rejection): Promise<void> {
    await this.end(id, reason);
    this.#known.delete(id);
    await this.#cursors.remove(cursorOf(id));
  }

  #of(consumer: ConsumerRow): Promise<Known> {
    const known = this.#known.get(consumer.id);
    if (known) return known;
    const found = this.#load(consumer);
    this.#known.set(consumer.id, found);
    // Who asks next tries again.
    found.catch(() => this.#known.delete(consumer.id));
    return found;
  }

  async #load({ id, from }: ConsumerRow): Promise<Known> {
    const document = (await this.#cursors.read(cursorOf(id))) as Partial<Document> | undefined;
    const at = document?.v === 1 && document.at ? document.at : { epoch: 0, position: from };
    return { at, reading: undefined, told: 0 as Position };
  }

  #settle(consumer: ConsumerRow, known: Known): Place {
    const settled = known.reading?.settled(known.at) ?? known.at;
    if (settled.position > known.at.position) this.#move(consumer, known, settled);
    return known.at;
  }

  #move({ id }: ConsumerRow, known: Known, at: Place): void {
    known.at = at;
    const document: Document = { v: 1, at };
    this.#cursors.keep(cursorOf(id), document);
  }
}

interface Document {
  readonly v: 1;
  readonly at: Place;
}
