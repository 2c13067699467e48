/**
 * Finds a needle without the index, in the footers of all packs: for a row that the index has lost. What
 * was looked for in vain is remembered, so that an object whose bytes are gone does not cost that much
 * each time someone asks for it.
 */
import { type Files, hasCode } from '#files';
import type { BlobId } from '../../domain/names.ts';
import { readPack } from './read-pack.ts';
import type { Place } from './writer.ts';

export interface RecallOptions {
  readonly files: Files;
  readonly directory: string;
  readonly packs: ReadonlyMap<number, boolean>;
}

/** Where the needle lies, in the newest pack that has it, if that is not the place `butFor`. */
export type Recall = (
  blobId: BlobId,
  butFor?: Pick<Place, 'pack' | 'offset'>,
) => Promise<Place | undefined>;

const maxInVain = 1000;

export function recallFrom({ files, directory, packs }: RecallOptions): Recall {
  const inVain = new Set<BlobId>();
  return async (blobId, butFor) => {
    if (inVain.has(blobId)) return undefined;
    let isComplete = true;
    for (const pack of [...packs.keys()].sort((a, b) => b - a)) {
      const content = await readPack(files, directory, pack).catch(gone);
      // It was compacted meanwhile, and its needles are elsewhere.
      isComplete &&= content !== undefined;
      const needle = content?.needles.find((each) => each.blobId === blobId);
      const isOther = pack !== butFor?.pack || needle?.offset !== butFor.offset;
      if (needle && isOther) return { pack, ...needle };
    }
    if (isComplete && inVain.size < maxInVain) inVain.add(blobId);
    return undefined;
  };
}

function gone(cause: unknown): undefined {
  if (hasCode(cause, 'ENOENT')) return undefined;
  throw cause;
}
