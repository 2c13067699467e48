/** Where things lie in the data directory. No other file spells these names, except blobs/ and wal/ their own. */
import { join } from 'node:path';

export interface Layout {
  readonly directory: string;
  readonly wal: string;
  readonly views: string;
  readonly blobs: string;
  readonly packs: string;
  readonly staging: string;
  readonly quarantine: string;
  /** An empty LevelDB whose LOCK file the kernel guards. Nobody else opens or reads it. */
  readonly lock: string;
  /** Secrets; mode 0700. */
  readonly keys: string;
  readonly cursors: string;
  readonly versionFile: string;
  readonly nodeFile: string;
  readonly pidFile: string;
  readonly reserveFile: string;
  readonly fenceFile: string;
  readonly cleanMarkerFile: string;
  /** How often the views were opened since they were last known to be whole. */
  readonly startsFile: string;
  readonly loginSecretFile: string;
  readonly signingKeysFile: string;
  readonly webhookSecretsFile: string;
  /** Held while a file of `keys/` is changed, by whoever changes it; like `lock`. */
  readonly keysLock: string;
}

export function layoutOf(directory: string): Layout {
  const at = (...names: string[]) => join(directory, ...names);
  return {
    directory,
    wal: at('wal'),
    views: at('views'),
    blobs: at('blobs'),
    packs: at('packs'),
    staging: at('staging'),
    quarantine: at('quarantine'),
    lock: at('lock'),
    keys: at('keys'),
    cursors: at('cursors'),
    versionFile: at('version'),
    nodeFile: at('node'),
    pidFile: at('pid'),
    reserveFile: at('reserve'),
    fenceFile: at('fence'),
    cleanMarkerFile: at('clean'),
    startsFile: at('starts'),
    loginSecretFile: at('keys', 'login-secret'),
    signingKeysFile: at('keys', 'signing-keys'),
    webhookSecretsFile: at('keys', 'webhook-secrets'),
    keysLock: at('keys', 'lock'),
  };
}

/** The folders of a data directory besides `lock`, with their permissions. */
export function foldersOf(layout: Layout): ReadonlyArray<readonly [path: string, mode: number]> {
  const { wal, views, blobs, packs, staging, quarantine, cursors, keys } = layout;
  const open = [wal, views, blobs, packs, staging, quarantine, cursors];
  return [...open.map((path) => [path, 0o755] as const), [keys, 0o700]];
}
