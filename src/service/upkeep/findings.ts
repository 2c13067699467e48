/** What a check found wrong with an object, as reports show it; counted without limit, listed with one. */
import type { Observe } from '../../domain/effects.ts';
import type { KeyspaceId } from '../../domain/names.ts';
import type { ObjectRow } from '../../domain/object.ts';
import type { Views } from '../../views/views.ts';

export interface Finding {
  /** null where the bucket was deleted and its rows are being drained. */
  readonly bucket: string | null;
  readonly path: string;
  readonly object_id: string;
  readonly blob_id: string;
  readonly problem: 'missing' | 'damaged' | 'unreadable';
  /** One sentence; no place on the disk. */
  readonly detail: string;
}

export interface CurrentRow {
  readonly keyspace: KeyspaceId;
  readonly row: ObjectRow;
}

/** False where the row was replaced or deleted after it was read: nothing is wrong with it then. */
export function isCurrent(views: Pick<Views, 'object'>, { keyspace, row }: CurrentRow): boolean {
  return views.object(keyspace, row.path)?.blob_id === row.blob_id;
}

const maxListed = 1000;

export class Findings {
  readonly listed: Finding[] = [];
  count = 0;
  readonly #views: Pick<Views, 'buckets'>;
  readonly #observe: Observe;

  constructor(views: Pick<Views, 'buckets'>, observe: Observe) {
    this.#views = views;
    this.#observe = observe;
  }

  async add(
    { keyspace, row }: CurrentRow,
    { problem, detail }: Pick<Finding, 'problem' | 'detail'>,
  ): Promise<void> {
    this.count += 1;
    this.#observe.count('missing_blob');
    if (this.listed.length >= maxListed) return;
    const buckets = await this.#views.buckets();
    const bucket = buckets.find((candidate) => candidate.keyspace === keyspace)?.name ?? null;
    const { path, id: object_id, blob_id } = row;
    const finding = { bucket, path, object_id, blob_id, problem, detail };
    this.listed.push(finding);
    this.#observe.error('an object has lost its bytes', { ...finding });
  }
}
