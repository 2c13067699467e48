/** The data directory that a command names. Looking at its log needs no lock. */
import { hasCode, nodeFiles } from '#files';
import { type Layout, layoutOf } from '../home/layout.ts';
import { type CommonOptions, configOf } from './command.ts';
import { misuse } from './failures.ts';
import type { Surroundings } from './surroundings.ts';

/**
 * With --data-dir the environment is not looked at: a log can be examined whatever the configuration
 * says. Throws where there is no log.
 */
export function logLayout(surroundings: Surroundings, options: CommonOptions): Promise<Layout> {
  return requireLog(options.dataDir ?? configOf(surroundings, options).dataDir);
}

/** Throws where `directory` holds no log: opening it would make an empty store there. */
export async function requireLog(directory: string): Promise<Layout> {
  const layout = layoutOf(directory);
  if (await isDirectory(layout.wal)) return layout;
  const found = (await isDirectory(directory))
    ? `${directory} holds no log`
    : `There is no ${directory}`;
  throw misuse(`${found}: name a data directory with --data-dir or AEROSTORE_DATA_DIR.`);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    // A symbolic link counts as what it leads to; `stat` of the seam looks at the link itself.
    await nodeFiles.list(path);
    return true;
  } catch (cause) {
    if (hasCode(cause, 'ENOENT', 'ENOTDIR')) return false;
    throw cause;
  }
}
