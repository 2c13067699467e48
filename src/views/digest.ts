/**
 * One number for all rows, so that views built in different ways can be compared. The views' own id
 * and the applied position are left out: two views of one log have the same digest. Every row is
 * checked on the way, so a digest is also the verification of the views.
 */
import { newBlake3 } from '../blobs/hash.ts';
import { everyRow } from './keys.ts';
import { checkRow } from './store/rows.ts';
import { PAGE, type ViewsStore } from './store.ts';

/** BLAKE3 over each key and value in order, each behind its length (u32), in hex. Throws ViewsDamaged. */
export async function digestOf(store: ViewsStore): Promise<string> {
  const hash = await newBlake3();
  const iterator = store.iterator(everyRow, { highWaterMarkBytes: 256 * 1024 });
  try {
    for (;;) {
      const page = await iterator.nextv(PAGE);
      if (page.length === 0) return hash.digest();
      for (const [key, row] of page) checkRow(key, row);
      hash.update(Buffer.concat(page.flat().flatMap((part) => [lengthOf(part), part])));
    }
  } finally {
    await iterator.close();
  }
}

function lengthOf(part: Buffer): Buffer {
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(part.length);
  return length;
}
