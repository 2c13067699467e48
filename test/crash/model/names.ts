/**
 * What the clients of a program know: the tokens that they hold, and by which ids the store calls
 * what they made. The model calls it by the operation that made it.
 */
import type { TokenClaims } from '../../../src/domain/signed-urls/token.ts';
import type { ReadableObject } from '../../../src/service/service.ts';
import type { Intent, Operation, Place } from './operations.ts';
import type { Attempt } from './order.ts';
import type { Made } from './world.ts';

/** Ids of one kind as the store gives them, and what the model calls them. */
class Ids {
  readonly #made = new Map<string, Made>();
  readonly #given = new Map<Made, string>();

  /** The first name stays. */
  name(given: string, made: Made): void {
    if (this.#made.has(given)) return;
    this.#made.set(given, made);
    this.#given.set(made, given);
  }

  /** An id that nobody made is called by itself. */
  madeOf(given: string): Made {
    return this.#made.get(given) ?? given;
  }

  isKnown(given: string): boolean {
    return this.#made.has(given);
  }

  givenOf(made: Made): string {
    return this.#given.get(made) ?? made;
  }
}

export interface HeldToken {
  readonly made: Made;
  readonly token: string;
  readonly claims: TokenClaims;
}

export class Names {
  readonly buckets = new Ids();
  readonly objects = new Ids();
  readonly versions = new Ids();
  readonly tokens: HeldToken[] = [];
  /** What a token for one use was found to be for, by the look that found it. */
  readonly looks = new Map<Made, ReadableObject>();
  /** What had an idempotency key, in the order in which it began. */
  readonly keyed: Pick<Attempt, 'operation' | 'key'>[] = [];
  /** Versions that were seen at a place, the latest last. */
  readonly #seen = new Map<string, Made[]>();

  /** Somebody was told that the place holds this version. */
  see({ bucket, path }: Place, version: string): void {
    if (!this.versions.isKnown(version)) return;
    const made = this.versions.madeOf(version);
    const before = this.#seen.get(`${bucket}/${path}`) ?? [];
    this.#seen.set(`${bucket}/${path}`, [...before.filter((one) => one !== made), made]);
  }

  held(made: Made): HeldToken | undefined {
    return this.tokens.find((token) => token.made === made);
  }

  /** The intent with what it points at; undefined where there is none. */
  bind(intent: Intent): Operation | undefined {
    switch (intent.kind) {
      case 'patch':
        return { ...intent, ifVersion: this.#version(intent, intent.ifVersion) };
      case 'sign':
        return { ...intent, version: this.#version(intent, intent.version) };
      case 'look':
      case 'spend':
      case 'peek':
      case 'putSigned':
      case 'revokeToken': {
        const wanted = intent.kind === 'putSigned' ? 'upload' : 'download';
        const kind = intent.kind === 'revokeToken' ? undefined : wanted;
        const token = this.#token(intent.token, kind);
        return token === undefined ? undefined : { ...intent, token };
      }
      case 'revokeAll': {
        const before = intent.before === null ? null : this.#token(intent.before, undefined);
        return { ...intent, before: before ?? null };
      }
      default:
        return intent;
    }
  }

  #version({ bucket, path }: Place, back: number | null): Made | null {
    if (back === null) return null;
    return this.#seen.get(`${bucket}/${path}`)?.at(-1 - back) ?? 'a version that never was';
  }

  #token(back: number, kind: TokenClaims['operation'] | undefined): Made | undefined {
    const tokens = this.tokens.filter(
      ({ claims }) => kind === undefined || claims.operation === kind,
    );
    return tokens.at(-1 - back)?.made;
  }
}
