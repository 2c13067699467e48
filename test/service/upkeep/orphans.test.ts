/** The order of the looks, where timing matters: a fake applier that is as late as it likes. */
import { describe, expect, it } from 'vitest';
import { openMemoryBlobs } from '../../../src/blobs/memory.ts';
import type { BlobId, Position } from '../../../src/domain/names.ts';
import { quarantineOrphans } from '../../../src/service/upkeep/orphans.ts';
import { isKnown } from '../../../src/service/upkeep/trust.ts';
import { blobIds, patterned, reusingItsChunk } from '../../support/bodies.ts';
import { collect } from '../../support/collect.ts';
import { silent } from '../../support/views.ts';

const never = new AbortController().signal;

async function bench() {
  const blobs = openMemoryBlobs({ newBlobId: blobIds() });
  const retained = new Set<BlobId>();
  const known = new Set<BlobId>();
  const log = { head: 7 as Position };
  const waited: Position[] = [];
  const bench = {
    blobs,
    retained,
    known,
    log,
    waited,
    /** What happens while the applier catches up. */
    meanwhile: async () => {},
    async publish(): Promise<BlobId> {
      const { blobId } = await blobs.stage(reusingItsChunk(patterned(10), 10), { maxBytes: 100 });
      await blobs.publish([blobId]);
      return blobId;
    },
    sweep: (trusted = true) =>
      quarantineOrphans(
        {
          blobs,
          views: {
            isRetained: (blobId) => retained.has(blobId),
            knowsBlob: async (blobId) => retained.has(blobId) || known.has(blobId),
          },
          journal: log,
          applier: {
            async waitFor(position) {
              waited.push(position);
              await bench.meanwhile();
            },
          },
          clock: { now: () => 5 },
          observe: silent,
          assertTrusted: () => {
            if (!trusted) throw new Error('not trusted');
          },
        },
        never,
      ),
  };
  return bench;
}

describe('a suspect', () => {
  it('that nothing knows of goes into quarantine', async () => {
    const under = await bench();
    const blobId = await under.publish();
    expect(await under.sweep()).toEqual({ looked_at: 1, orphans: 1 });
    expect(await collect(under.blobs.published())).toEqual([]);
    expect(await collect(under.blobs.quarantined())).toMatchObject([{ blobId, arrivedMs: 5 }]);
  });

  it('is asked about again only after the log was applied up to a head read after it was seen', async () => {
    const under = await bench();
    const blobId = await under.publish();
    const { head } = under.log;
    // The record of what lies there is the last one; its row comes while the applier catches up.
    under.log.head = (head + 3) as Position;
    under.meanwhile = async () => void under.retained.add(blobId);
    expect(await under.sweep()).toEqual({ looked_at: 1, orphans: 0 });
    expect(under.waited).toEqual([head + 3]);
    expect(await under.blobs.has(blobId)).toBe(true);
  });

  it('that any row knows of is none, although the row that was asked first is lost', async () => {
    const under = await bench();
    under.known.add(await under.publish());
    expect(await under.sweep()).toMatchObject({ orphans: 0 });
  });

  it('stays where it is while the views may not be believed', async () => {
    const under = await bench();
    const blobId = await under.publish();
    await expect(under.sweep(false)).rejects.toThrow('not trusted');
    expect(await under.blobs.has(blobId)).toBe(true);
  });
});

describe('the views', () => {
  it('are asked whether they may be believed both before and after they are asked of a blob', async () => {
    const asked: string[] = [];
    await isKnown(
      {
        views: {
          knowsBlob: async () => {
            asked.push('known?');
            return false;
          },
        },
        assertTrusted: () => void asked.push('trusted?'),
      },
      'ab' as BlobId,
    );
    expect(asked).toEqual(['trusted?', 'known?', 'trusted?']);
  });
});

describe('a sweep', () => {
  it('looks at everything, however much it is', async () => {
    const under = await bench();
    for (let count = 0; count < 2500; count += 1) {
      const blobId = await under.publish();
      if (count % 5 === 0) under.retained.add(blobId);
    }
    expect(await under.sweep()).toEqual({ looked_at: 2500, orphans: 2000 });
    expect(under.waited).toHaveLength(2);
    expect(await collect(under.blobs.published())).toHaveLength(500);
  });
});
