/**
 * What clients ask of a store. `Ref` is how an operation points at what an earlier one made: as a
 * count of how many back in a program, which can't know more, and as what was made once it is asked.
 */
import type { Made, Settings, Who } from './world.ts';

export interface Place {
  readonly bucket: string;
  readonly path: string;
}

/** Content and metadata are named by their indexes in contents.ts. */
export interface Body {
  readonly content: number;
  readonly type: string;
  readonly cache: string | null;
  readonly metadata: number | null;
}

/** Of an upload; a number is the content that must be there now. */
export type Condition = 'none' | 'if-none-match' | 'no-overwrite' | 'if-match-any' | number;

export type OperationOf<Ref> =
  | BucketOperation
  | ({ readonly kind: 'put'; readonly who: Who; readonly condition: Condition } & Place & Body)
  | ({ readonly kind: 'remove'; readonly who: Who; readonly ifMatch: number | null } & Place)
  | {
      readonly kind: 'removeMany';
      readonly who: Who;
      readonly bucket: string;
      readonly paths: readonly string[];
    }
  | Transfer
  | ({
      readonly kind: 'patch';
      readonly who: Who;
      readonly changes: Partial<Pick<Body, 'cache' | 'metadata'>> & {
        /** Null is guessed from the name. */
        readonly type?: string | null;
      };
      readonly ifMatch: number | null;
      readonly ifVersion: Ref | null;
    } & Place)
  | ({ readonly kind: 'read'; readonly who: Who } & Place)
  | { readonly kind: 'list'; readonly who: Who; readonly bucket: string }
  | Signing<Ref>
  /** The first half of a download by a signed URL, and all of it where it is not for one use. */
  | { readonly kind: 'look'; readonly token: Ref }
  /** The second half: uses the token up and reads the bytes that the first half found. */
  | {
      readonly kind: 'spend';
      readonly token: Ref;
      readonly look: Made;
      /** That it found. */
      readonly content: number;
    }
  /** Asks whether a token may be used and does not use it. */
  | { readonly kind: 'peek'; readonly token: Ref }
  | ({ readonly kind: 'putSigned'; readonly token: Ref } & Body)
  | { readonly kind: 'revokeToken'; readonly who: Who; readonly token: Ref }
  | {
      readonly kind: 'revokeAll';
      readonly who: Who;
      readonly bucket: string;
      readonly path: string | null;
      /** Up to the signing of this one, or up to now. */
      readonly before: Ref | null;
    };

export type BucketOperation =
  | {
      readonly kind: 'create';
      readonly who: Who;
      readonly bucket: string;
      readonly settings: Settings;
    }
  | {
      readonly kind: 'update';
      readonly who: Who;
      readonly bucket: string;
      readonly settings: Partial<Settings>;
    }
  | { readonly kind: 'empty'; readonly who: Who; readonly bucket: string }
  | { readonly kind: 'drop'; readonly who: Who; readonly bucket: string; readonly force: boolean };

export interface Transfer {
  readonly kind: 'copy' | 'move';
  readonly who: Who;
  readonly from: Place;
  readonly to: Place;
  readonly overwrite: boolean;
  /** In place of the source's, where given. */
  readonly metadata?: number | null;
}

export interface Signing<Ref> extends Place {
  readonly kind: 'sign';
  readonly who: Who;
  readonly operation: 'download' | 'upload';
  readonly once: boolean;
  /** Of an upload. */
  readonly upsert: boolean;
  readonly maxBytes: number | null;
  /** Of a download: pinned to this version. */
  readonly version: Ref | null;
}

export type Operation = OperationOf<Made>;
export type Intent = OperationOf<number>;

/** An operation as it is asked: under an id of its own and perhaps an idempotency key. */
export interface Asked {
  readonly id: Made;
  readonly operation: Operation;
  readonly key: string | null;
  /** Of a signing that was answered: when, by what the token says. */
  readonly issuedAt?: number;
}

/** What must be the same for a repeat to be one. */
export function requestOf(operation: Operation): string {
  return JSON.stringify(operation);
}
