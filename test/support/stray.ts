/** Files that lie where the store does not expect them, and where those of a rig lie. */
import { dirname } from 'node:path';
import type { BlobId } from '../../src/domain/names.ts';
import { dataDirectory, type Rig } from './rig.ts';

export function blobPath(blobId: string): string {
  return `${dataDirectory}/blobs/${blobId.slice(0, 2)}/${blobId.slice(2, 4)}/${blobId}`;
}

/** Puts a file below `blobs/`, durably, as nobody's. */
export async function placeStray(rig: Rig, path: string, text = 'stray'): Promise<void> {
  const { files } = rig.disk;
  const whole = `${dataDirectory}/blobs/${path}`;
  for (const folder of [dirname(dirname(whole)), dirname(whole)]) {
    if (folder.length <= dataDirectory.length) continue;
    await files.makeDirectory(folder);
    await files.syncDirectory(dirname(folder));
  }
  const file = await files.open(whole, 'create');
  await file.write([Buffer.from(text)], 0);
  await file.sync();
  await file.close();
  await files.syncDirectory(dirname(whole));
}

export async function placeOrphan(rig: Rig, blobId: string, text?: string): Promise<void> {
  await placeStray(rig, `${blobId.slice(0, 2)}/${blobId.slice(2, 4)}/${blobId}`, text);
}

/** The ids of the blobs that are published, as files or in packs. */
export function publishedIn(rig: Rig): BlobId[] {
  const files = filesIn(rig, 'blobs').map((path) => path.slice(path.lastIndexOf('/') + 1));
  return [...files, ...needlesIn(rig, 0)] as BlobId[];
}

/** Names of files in the quarantine, and ids of blobs in packs. */
export function quarantinedIn(rig: Rig): string[] {
  const files = filesIn(rig, 'quarantine').map((path) => path.slice(path.lastIndexOf('/') + 1));
  return [...files, ...needlesIn(rig, 1)];
}

/** Blobs whose row in the packs' index says so: 0 published, 1 quarantined, 2 dead. */
export function needlesIn(rig: Rig, state: number): string[] {
  return [...rig.packIndex.rows]
    .filter(([key, row]) => key.startsWith('62') && row[0] === state)
    .map(([key]) => key.slice(2));
}

function filesIn(rig: Rig, folder: string): string[] {
  return rig.disk
    .paths()
    .filter((path) => path.startsWith(`${dataDirectory}/${folder}/`))
    .filter((path) => rig.disk.peek(path) !== undefined);
}
