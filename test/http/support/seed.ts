/** A public and a private bucket with one object of ten bytes each; its tag. */
import type { TestDoor } from './door.ts';

export const text = '0123456789';
export const path = '/object/public/pub/a/%E3%81%82.txt';
/** When it was stored, and the second before. */
export const modified = 'Fri, 02 Jan 2026 03:04:05 GMT';
export const earlier = 'Fri, 02 Jan 2026 03:04:04 GMT';

export async function seed({ service, call }: TestDoor): Promise<string> {
  service.rows.clear();
  service.objects_.clear();
  service.fault = undefined;
  let etag = '';
  for (const [name, policy] of [
    ['pub', 'public'],
    ['priv', 'private'],
  ]) {
    await call('/bucket', { method: 'POST', json: { name, policy } });
    const answer = await call(`/object/${name}/a/%E3%81%82.txt`, {
      method: 'PUT',
      body: text,
      headers: { 'content-type': 'text/plain' },
    });
    etag = ((await answer.json()) as { etag: string }).etag;
  }
  return etag;
}
