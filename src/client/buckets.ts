/** Buckets themselves. */
import type { Bucket } from '../http/openapi/answer-schemas.ts';
import type { BucketInput } from '../http/schemas.ts';
import { locationOf, type Transport } from './transport.ts';

export type BucketSettings = Pick<
  BucketInput,
  'policy' | 'write_policy' | 'allowed_mime_types' | 'max_file_size'
>;

export interface BucketListOptions {
  readonly limit?: number;
  readonly offset?: number;
  /** A part of the name, in any case. */
  readonly search?: string;
  readonly sortColumn?: 'id' | 'name' | 'created_at' | 'updated_at';
  readonly sortOrder?: 'asc' | 'desc';
}

export interface Buckets {
  create(name: string, settings?: BucketSettings): Promise<Bucket>;
  get(name: string): Promise<Bucket>;
  list(options?: BucketListOptions): Promise<readonly Bucket[]>;
  update(name: string, settings: BucketSettings): Promise<Bucket>;
  /** Deletes everything in it; resolves to how many objects that were. */
  empty(name: string): Promise<number>;
  /** `force`: along with what it holds. */
  remove(name: string, options?: { readonly force?: boolean }): Promise<void>;
}

export function createBuckets(transport: Transport): Buckets {
  const at = (name: string) => `/bucket/${locationOf(name)}`;
  return {
    create: (name, settings = {}) =>
      transport.json('/bucket', { method: 'POST', json: { name, ...settings } }),
    get: async (name) => transport.json(at(name)),
    list: (options = {}) => transport.json('/bucket', { query: { ...options } }),
    update: async (name, settings) => transport.json(at(name), { method: 'PUT', json: settings }),
    async empty(name) {
      const { deleted } = await transport.json<{ readonly deleted: number }>(`${at(name)}/empty`, {
        method: 'POST',
      });
      return deleted;
    },
    async remove(name, { force } = {}) {
      await transport.json(at(name), { method: 'DELETE', query: { force } });
    },
  };
}
