/**
 * The keys that sign URLs, in one file of mode 0600: the newest signs, older ones verify until they
 * are retired, and of a retired one only its name is left.
 *
 * Promises: a use sees the file as it is then (its stat is looked at each time), so a key that the
 * command line rotates or retires is rotated or retired for a running server; changes are made under
 * a lock of the keys' own and replace the file as a whole; a secret is in no error and in no log.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { KeyRefused } from './errors.ts';
import { SecretFile, type SecretFileOptions } from './secret-file.ts';

const keyStates = ['active', 'verify-only', 'retired'] as const;
export type KeyState = (typeof keyStates)[number];

export interface KeyFacts {
  readonly kid: string;
  readonly state: KeyState;
  /** RFC 3339. */
  readonly created: string;
}

interface StoredKey extends KeyFacts {
  /** Base64url; null once the key is retired. */
  readonly secret: string | null;
}

export interface SigningKey {
  readonly kid: string;
  /** Of HMAC-SHA256. */
  readonly key: KeyObject;
}

/** Every method throws KeyRefused where the file can't be trusted. */
export interface SigningKeys {
  /** The key that signs, made where there is none. */
  signer(): Promise<SigningKey>;
  /** The key of that name, unless it is retired or unknown. */
  verifier(kid: string): Promise<SigningKey | undefined>;
  /** The oldest first. */
  list(): Promise<readonly KeyFacts[]>;
  /** Makes the key that signs from now on; what signed until now only verifies. */
  rotate(): Promise<KeyFacts>;
  /** What it signed is void from now on. Undefined where there is no such key. */
  retire(kid: string): Promise<KeyFacts | undefined>;
}

export interface SigningKeyOptions extends SecretFileOptions {
  /** Bytes from a cryptographic source. */
  readonly random: (sizeBytes: number) => Uint8Array;
  /** Unix ms. */
  readonly now: () => number;
}

/** RFC 7518 §3.2: a key of HS256 has at least as many bytes as the hash. */
const secretBytes = 32;
const kidBytes = 8;
/** Retired keys are remembered by name, the newest of them. */
const maxRetired = 100;

export function openSigningKeys(options: SigningKeyOptions): SigningKeys {
  return new KeyFile(options);
}

interface Loaded {
  readonly keys: readonly StoredKey[];
  readonly usable: ReadonlyMap<string, SigningKey>;
}

class KeyFile implements SigningKeys {
  readonly #options: SigningKeyOptions;
  readonly #file: SecretFile<Loaded>;

  constructor(options: SigningKeyOptions) {
    this.#options = options;
    const path = options.layout.signingKeysFile;
    this.#file = new SecretFile(options, {
      path,
      parse: (bytes) => loaded(keysIn(bytes, path)),
      document: ({ keys }) => ({ keys }),
    });
  }

  async signer(): Promise<SigningKey> {
    const found = activeIn(await this.#file.load());
    if (found) return found;
    await this.#change((keys) => (keys.some(isActive) ? keys : [...keys, this.#newKey()]));
    const made = activeIn(await this.#file.load());
    if (!made) throw new KeyRefused('the signing key that was made is gone: try again');
    return made;
  }

  async verifier(kid: string): Promise<SigningKey | undefined> {
    return (await this.#file.load()).usable.get(kid);
  }

  async list(): Promise<readonly KeyFacts[]> {
    return (await this.#file.load()).keys.map(factsOf);
  }

  async rotate(): Promise<KeyFacts> {
    const made = this.#newKey();
    await this.#change((keys) => [
      ...keys.map((key): StoredKey => (isActive(key) ? { ...key, state: 'verify-only' } : key)),
      made,
    ]);
    return factsOf(made);
  }

  async retire(kid: string): Promise<KeyFacts | undefined> {
    const keys = await this.#change((before) =>
      before.map(
        (key): StoredKey => (key.kid === kid ? { ...key, state: 'retired', secret: null } : key),
      ),
    );
    const retired = keys.find((key) => key.kid === kid);
    return retired && factsOf(retired);
  }

  #newKey(): StoredKey {
    const { random, now } = this.#options;
    return {
      kid: Buffer.from(random(kidBytes)).toString('hex'),
      state: 'active',
      created: new Date(now()).toISOString(),
      secret: Buffer.from(random(secretBytes)).toString('base64url'),
    };
  }

  async #change(
    change: (keys: readonly StoredKey[]) => readonly StoredKey[],
  ): Promise<readonly StoredKey[]> {
    const { keys } = await this.#file.change((before) =>
      loaded(withoutOldest(change(before.keys))),
    );
    return keys;
  }
}

function loaded(keys: readonly StoredKey[]): Loaded {
  return { keys, usable: usableOf(keys) };
}

function isActive({ state }: KeyFacts): boolean {
  return state === 'active';
}

function activeIn({ keys, usable }: Loaded): SigningKey | undefined {
  const active = keys.find(isActive);
  return active && usable.get(active.kid);
}

function factsOf({ kid, state, created }: StoredKey): KeyFacts {
  return { kid, state, created };
}

function withoutOldest(keys: readonly StoredKey[]): readonly StoredKey[] {
  const retired = keys.filter(({ state }) => state === 'retired');
  const forgotten = new Set(retired.slice(0, Math.max(0, retired.length - maxRetired)));
  return keys.filter((key) => !forgotten.has(key));
}

function usableOf(keys: readonly StoredKey[]): ReadonlyMap<string, SigningKey> {
  const usable = new Map<string, SigningKey>();
  for (const { kid, secret } of keys) {
    if (secret === null) continue;
    usable.set(kid, { kid, key: createSecretKey(Buffer.from(secret, 'base64url')) });
  }
  return usable;
}

function keysIn(bytes: Uint8Array | undefined, path: string): readonly StoredKey[] {
  if (bytes === undefined) return [];
  const keys = listIn(bytes);
  if (keys?.every(isStoredKey) && keys.filter(isActive).length <= 1) return keys;
  // Without a cause: what a parser says of the text may quote it.
  throw new KeyRefused(
    `${path} is not a list of signing keys: restore it, or remove it to get a new key, with which earlier signed URLs are void`,
  );
}

function listIn(bytes: Uint8Array): readonly unknown[] | undefined {
  try {
    const document: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof document !== 'object' || document === null || !('keys' in document)) return;
    return Array.isArray(document.keys) ? document.keys : undefined;
  } catch {
    return undefined;
  }
}

function isStoredKey(value: unknown): value is StoredKey {
  if (typeof value !== 'object' || value === null) return false;
  const { kid, state, created, secret } = value as Readonly<Record<string, unknown>>;
  if (typeof kid !== 'string' || !/^[0-9a-zA-Z_-]{1,64}$/.test(kid)) return false;
  if (typeof created !== 'string' || !keyStates.some((known) => known === state)) return false;
  if (state === 'retired') return secret === null;
  return (
    typeof secret === 'string' &&
    /^[A-Za-z0-9_-]+$/.test(secret) &&
    Buffer.from(secret, 'base64url').byteLength >= secretBytes
  );
}
