/**
 * What LevelDB says of its own damage. It refuses some broken files, when it opens them or when it
 * reads: that is damage of the views, to be answered by building them anew. A lock that is held, or a
 * disk that fails for want of space or handles, is none.
 */
import { ViewsDamaged } from '../views.ts';

/** A cut table reads beyond its end (EINVAL); a table or manifest that is named may not be there. */
const damage = /^Corruption|^IO error: .*: (No such file or directory|Invalid argument)$/;

/** Runs `read`; what LevelDB reports as damage is thrown as ViewsDamaged. */
export async function readingAsync<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw named(error);
  }
}

/** As `readingAsync`, for a read that does not wait. */
export function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw named(error);
  }
}

/** Whether LevelDB says, by this error or by what caused it, that its files are damaged. */
export function isDamage(error: unknown): boolean {
  return named(error) !== error;
}

function named(error: unknown): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (damage.test(cause.message)) return new ViewsDamaged(cause.message, { cause: error });
  }
  return error;
}
