/** What the pure part needs from the world, as interfaces: a real and a controlled one of each exist. */
import type { BlobId } from './names.ts';

export interface Clock {
  /** Unix time, ms. */
  now(): number;
}

export interface Ids {
  /** A UUID of version 7: growing with time. */
  uuid(): string;
  /** 32 hex digits from a cryptographic source. */
  blobId(): BlobId;
}

export type Facts = Readonly<Record<string, unknown>>;

/** What is counted besides being logged. */
export type Counter = 'service_bypass' | 'policy_denial' | 'missing_blob' | 'auth_failure';

/** Structured logging and counting. `facts` never hold a secret, a token or a user's bytes. */
export interface Observe {
  debug(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  error(message: string, facts?: Facts): void;
  count(counter: Counter): void;
}
