/** What the control files remember of the log, for the commands that hold the log against them. */
import { nodeFiles } from '#files';
import type { Witness } from '#wal';
import { readCleanMarker, readFence } from '../../home/control.ts';
import { ControlDamaged } from '../../home/errors.ts';
import type { Layout } from '../../home/layout.ts';

export interface ControlFile {
  readonly name: 'clean marker' | 'fence';
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

export function witnessesIn(controls: readonly ControlFile[]): Witness[] {
  return controls.flatMap(({ content }) => (content.kind === 'witness' ? [content.witness] : []));
}
