/** The signing keys of a data directory, which a server may hold meanwhile: it sees what changes. */
import { nodeFiles } from '#files';
import { layoutOf } from '../../home/layout.ts';
import { openSigningKeys, type SigningKeys } from '../../home/signing-keys.ts';
import { random } from '../../world.ts';
import { type CommonOptions, configOf } from '../command.ts';
import { misuse } from '../failures.ts';
import type { Surroundings } from '../surroundings.ts';

export async function signingKeysOf(
  surroundings: Surroundings,
  options: CommonOptions,
): Promise<SigningKeys> {
  const layout = layoutOf(configOf(surroundings, options).dataDir);
  // A mistyped directory must not get keys.
  if ((await nodeFiles.stat(layout.versionFile)) === undefined) {
    throw misuse(
      `There is no data directory at ${layout.directory}: start the server once, or name another one with --data-dir.`,
    );
  }
  return openSigningKeys({ files: nodeFiles, layout, random, now: () => Date.now() });
}
