/**
 * Which objects have lost their bytes, as the health shows it. Readers and checks tell of a trouble; it
 * goes again when a later check has looked at every row and no longer finds it.
 */
import type { BlobId } from '../../domain/names.ts';
import type { ApplierOptions } from '../../views/applier.ts';
import type { HealthMonitor } from '../health.ts';

export type BlobTrouble = 'missing' | 'damaged';

export interface BlobTroubles {
  found(blobId: BlobId, trouble: BlobTrouble): void;
  /** `presence` says nothing of bytes: what is damaged stays so until its bytes were read. */
  pass(kind: 'presence' | 'bytes'): Pass;
}

/** One look at every current row. */
export interface Pass {
  look(blobId: BlobId, trouble?: BlobTrouble): void;
  /** To be called at the end of a complete pass: troubles of blobs that no row names go. */
  end(): void;
}

/** Blobs that are remembered, at most: one is enough for the health. */
const maxRemembered = 1000;

export function createBlobTroubles(health: Pick<HealthMonitor, 'degrade' | 'mend'>): BlobTroubles {
  const remembered = new Map<BlobId, BlobTrouble>();

  function found(blobId: BlobId, trouble: BlobTrouble): void {
    if (!remembered.has(blobId) && remembered.size >= maxRemembered) return;
    remembered.set(blobId, trouble);
    health.degrade(
      `blob:${blobId}`,
      trouble === 'missing' ? 'objects without their bytes' : 'objects with damaged bytes',
    );
  }

  function mend(blobId: BlobId): void {
    remembered.delete(blobId);
    health.mend(`blob:${blobId}`);
  }

  return {
    found,
    pass(kind) {
      const unseen = new Set(remembered.keys());
      return {
        look(blobId, trouble) {
          if (trouble) found(blobId, trouble);
          else if (kind === 'bytes' || remembered.get(blobId) === 'missing') mend(blobId);
          unseen.delete(blobId);
        },
        end() {
          for (const blobId of unseen) mend(blobId);
        },
      };
    },
  };
}

/** What the apply meets of blobs, as the health shows it. */
export function blobAlarms(
  health: Pick<HealthMonitor, 'degrade'>,
  troubles: Pick<BlobTroubles, 'found'>,
): ApplierOptions['alarms'] {
  return {
    missing: (blobId) => troubles.found(blobId, 'missing'),
    stuck: () => health.degrade('finalize', 'blobs that only a restart brings to their place'),
  };
}
