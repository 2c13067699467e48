/**
 * Makes names in one directory durable, one fsync for many of them.
 *
 * An fsync covers the names that were there when it began, and no later one. After a failed fsync
 * the kernel may report success although the names were lost, so all that it covered have failed for
 * good, and only names made after it can succeed.
 */
import type { Files } from '#files';

/** Taken once a name is there: the number of fsyncs begun by then. */
export type SyncTicket = number & { readonly brand: 'SyncTicket' };

export interface DirectorySyncer {
  ticket(): SyncTicket;
  /** Resolves after an fsync that began after the ticket was taken; often one that is over already. */
  covered(ticket: SyncTicket): Promise<void>;
}

export function directorySyncer(files: Files, directory: string): DirectorySyncer {
  let begun = 0;
  /** The newest fsync that succeeded. */
  let done = 0;
  let failed: { readonly through: number; readonly cause: unknown } | undefined;
  let running: Promise<void> | undefined;

  async function sync(): Promise<void> {
    begun += 1;
    const current = begun;
    try {
      await files.syncDirectory(directory);
      done = current;
    } catch (cause) {
      // Names that appeared while it ran are in doubt too, hence the gap.
      failed = { through: current, cause };
      begun += 1;
    } finally {
      running = undefined;
    }
  }

  return {
    ticket: () => begun as SyncTicket,
    async covered(ticket) {
      while (done <= ticket) {
        if (failed && ticket <= failed.through) {
          throw new Error(`an fsync of ${directory} failed`, { cause: failed.cause });
        }
        running ??= sync();
        await running;
      }
    },
  };
}
