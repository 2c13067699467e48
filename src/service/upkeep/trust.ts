/**
 * Whether a blob may go, as the views say. They may be damaged, or be built anew at this moment and
 * hold a part of the rows only; then nothing they do not know of may be taken for an orphan.
 */
import type { BlobId } from '../../domain/names.ts';
import type { Views } from '../../views/views.ts';

export interface Trust {
  readonly views: Pick<Views, 'knowsBlob'>;
  /** Throws where what the views say may not be believed now. */
  readonly assertTrusted: () => void;
}

/** True where a row knows of the blob. Throws where the views were not whole all the while. */
export async function isKnown({ views, assertTrusted }: Trust, blobId: BlobId): Promise<boolean> {
  // Before and after: a rebuild that ends in between would let what it lacked pass for the truth.
  assertTrusted();
  const known = await views.knowsBlob(blobId);
  assertTrusted();
  return known;
}
