/** The digest of the views of a running server. */
import { CommandRefused } from '../failures.ts';
import { ask, originOf, type Server } from '../remote.ts';
import type { ViewsDigest } from '../surroundings.ts';

/** A digest reads all rows: a large store takes its time. */
const timeoutMs = 10 * 60_000;

export async function remoteDigest(server: Server): Promise<ViewsDigest> {
  const found = await ask(server, { path: '/admin/digest', timeoutMs });
  if (isDigest(found)) return found;
  throw new CommandRefused(1, `${originOf(server)} answered with something else than a digest.`);
}

function isDigest(value: unknown): value is ViewsDigest {
  if (typeof value !== 'object' || value === null) return false;
  const { digest, position } = value as Partial<Record<keyof ViewsDigest, unknown>>;
  return (
    typeof digest === 'string' && /^[0-9a-f]{64}$/.test(digest) && typeof position === 'number'
  );
}
