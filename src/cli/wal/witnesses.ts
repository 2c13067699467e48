/** What is remembered of the log beside it, for the commands that hold the log against that. */
import { nodeFiles } from '#files';
import type { Witness } from '#wal';
import { readCleanMarker, readFence } from '../../home/control.ts';
import { ControlDamaged } from '../../home/errors.ts';
import type { Layout } from '../../home/layout.ts';
import { openStoredViews } from '../../views/stored-views.ts';
import { ViewsDamaged } from '../../views/views.ts';
import { randomIds } from '../../world.ts';

/** A control file, or the folder of the views. */
export interface ControlFile {
  readonly name: 'clean marker' | 'fence' | 'views';
  readonly path: string;
  readonly content:
    | { readonly kind: 'witness'; readonly witness: Witness }
    | { readonly kind: 'damaged'; readonly reason: string };
}

/** Those that are there. */
export async function readControlFiles(layout: Layout): Promise<readonly ControlFile[]> {
  const sources = [
    ['clean marker', layout.cleanMarkerFile, () => readCleanMarker(nodeFiles, layout)],
    ['fence', layout.fenceFile, () => readFence(nodeFiles, layout)],
  ] as const;
  const found: ControlFile[] = [];
  for (const [name, path, read] of sources) {
    try {
      const place = await read();
      if (!place) continue;
      const { position, chain } = place;
      const bytes = chain === undefined ? {} : { chain: Buffer.from(chain, 'hex') };
      found.push({
        name,
        path,
        content: { kind: 'witness', witness: { name, position, ...bytes } },
      });
    } catch (cause) {
      if (!(cause instanceof ControlDamaged)) throw cause;
      found.push({ name, path, content: { kind: 'damaged', reason: cause.message } });
    }
  }
  return found;
}

/**
 * The views, where they are whole enough to say which record they hold. Only for one who holds the
 * directory: LevelDB can't be opened beside a server.
 */
export async function readViewsWitness({ views: path }: Layout): Promise<readonly ControlFile[]> {
  const isThere = await nodeFiles.stat(path);
  if (!isThere || (await nodeFiles.list(path)).length === 0) return [];
  try {
    const place = { files: nodeFiles, path, newId: () => randomIds.uuid() };
    const store = await openStoredViews(place);
    const witness = { name: 'views', position: store.applied };
    await store.close();
    return [{ name: 'views', path, content: { kind: 'witness', witness } }];
  } catch (cause) {
    if (!(cause instanceof ViewsDamaged)) throw cause;
    return [];
  }
}

export function witnessesIn(controls: readonly ControlFile[]): Witness[] {
  return controls.flatMap(({ content }) => (content.kind === 'witness' ? [content.witness] : []));
}
