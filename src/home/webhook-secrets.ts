/**
 * The secrets that sign what webhooks are sent, in one file of mode 0600 under the ids by which
 * records name them. A secret is durable before a record can name it, and is in no error and no log.
 */
import { KeyRefused } from './errors.ts';
import { SecretFile, type SecretFileOptions } from './secret-file.ts';

export interface WebhookSecret {
  readonly id: string;
  /** As its receiver is given it: `whsec_` and base64 (Standard Webhooks). */
  readonly text: string;
}

/** Every method throws KeyRefused where the file can't be trusted. */
export interface WebhookSecrets {
  /** Durable when it resolves. */
  make(): Promise<WebhookSecret>;
  /** Those that there are, in the order of `ids`. */
  read(ids: readonly string[]): Promise<readonly WebhookSecret[]>;
  forget(ids: readonly string[]): Promise<void>;
  /** Forgets all but `ids`: for a start, when nobody makes one. */
  keepOnly(ids: ReadonlySet<string>): Promise<void>;
}

export interface WebhookSecretOptions extends SecretFileOptions {
  /** Bytes from a cryptographic source. */
  readonly random: (sizeBytes: number) => Uint8Array;
}

/** Standard Webhooks wants 24 to 64. */
const secretBytes = 32;
const idBytes = 8;
const prefix = 'whsec_';

type Stored = Readonly<Record<string, string>>;

export function openWebhookSecrets(options: WebhookSecretOptions): WebhookSecrets {
  const { layout, random } = options;
  const path = layout.webhookSecretsFile;
  const file = new SecretFile<Stored>(options, {
    path,
    parse: (bytes) => secretsIn(bytes, path),
    document: (secrets) => ({ secrets }),
  });
  const keep = async (isKept: (id: string) => boolean) => {
    if (Object.keys(await file.load()).every(isKept)) return;
    await file.change((before) =>
      Object.fromEntries(Object.entries(before).filter(([id]) => isKept(id))),
    );
  };
  return {
    async make() {
      const id = Buffer.from(random(idBytes)).toString('hex');
      const text = prefix + Buffer.from(random(secretBytes)).toString('base64');
      await file.change((before) => ({ ...before, [id]: text }));
      return { id, text };
    },
    async read(ids) {
      const secrets = await file.load();
      return ids.flatMap((id) => {
        const text = Object.hasOwn(secrets, id) ? secrets[id] : undefined;
        return text === undefined ? [] : [{ id, text }];
      });
    },
    forget: (ids) => keep((id) => !ids.includes(id)),
    keepOnly: (ids) => keep((id) => ids.has(id)),
  };
}

function secretsIn(bytes: Uint8Array | undefined, path: string): Stored {
  if (bytes === undefined) return {};
  const secrets = documentIn(bytes);
  if (secrets && Object.entries(secrets).every(isSecret)) return secrets as Stored;
  // Without a cause: what a parser says of the text may quote it.
  throw new KeyRefused(
    `${path} is not a list of webhook secrets: restore it, or remove it and rotate the secret of each webhook`,
  );
}

function documentIn(bytes: Uint8Array): object | undefined {
  try {
    const document: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof document !== 'object' || document === null || !('secrets' in document)) return;
    const { secrets } = document;
    return typeof secrets === 'object' && secrets !== null ? secrets : undefined;
  } catch {
    return undefined;
  }
}

function isSecret([id, text]: [string, unknown]): boolean {
  if (!/^[0-9a-f]{16}$/.test(id) || typeof text !== 'string') return false;
  return /^whsec_[A-Za-z0-9+/]{43}=$/.test(text);
}
