/** The type of a body that came without one: guessed from the name. */
import { lookup } from 'mime-types';
import type { ObjectPath } from '../../domain/names.ts';

export function guessType(path: ObjectPath): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return (name.includes('.') && lookup(name)) || 'application/octet-stream';
}
