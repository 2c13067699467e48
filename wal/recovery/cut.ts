/**
 * Puts the valid part of a segment in the place of the whole, which is kept as `.broken`. Never in
 * place: the valid part is durable under a name of its own before the segment is renamed, so a crash
 * between any two steps loses nothing and is recovered by the next start. README.md, "Cutting a torn
 * tail".
 */
import { join } from 'node:path';
import type { Files } from '../files.ts';
import { brokenName, recoveredName } from '../segment.ts';

/** `parts` is what the segment `file` holds from now on. Resolves to the name of the original. */
export async function replaceSegmentBytes(
  files: Files,
  directory: string,
  { file, parts }: { readonly file: string; readonly parts: readonly Uint8Array[] },
): Promise<string> {
  const path = join(directory, file);
  const keptAs = await brokenName(files, directory, file);
  const recovered = join(directory, recoveredName(file));
  await writeFile(files, recovered, parts);
  await files.syncDirectory(directory);
  await files.rename(path, join(directory, keptAs));
  await files.syncDirectory(directory);
  await files.rename(recovered, path);
  await files.syncDirectory(directory);
  return keptAs;
}

/** Renames a segment, or what is left of one, out of the log. Durable when it resolves. */
export async function setSegmentAside(
  files: Files,
  directory: string,
  { file, as }: { readonly file: string; readonly as: string },
): Promise<string> {
  const keptAs = await brokenName(files, directory, as);
  await files.rename(join(directory, file), join(directory, keptAs));
  await files.syncDirectory(directory);
  return keptAs;
}

async function writeFile(files: Files, path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await files.open(path, 'create');
  try {
    await file.write(parts, 0);
    await file.sync();
  } finally {
    await file.close();
  }
}
