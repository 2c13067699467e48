/** The revocations that may concern a token: of itself, of its path, of its bucket; one snapshot. */
import { type RevocationScope, revocationsOf } from '../keys.ts';
import { openRow } from '../store/rows.ts';
import type { ViewsStore } from '../store.ts';
import type { RevocationRow, TokenPlace } from '../views.ts';

const PAGE = 256;

export async function readRevocations(
  store: ViewsStore,
  { jti, bucket_uid, path }: TokenPlace,
): Promise<RevocationRow[]> {
  const scopes: RevocationScope[] = [{ jti: null, bucket_uid, path: null }];
  if (path !== null) scopes.push({ jti: null, bucket_uid, path });
  if (jti !== undefined) scopes.push({ jti, bucket_uid, path });
  const snapshot = store.snapshot();
  try {
    return (await Promise.all(scopes.map((scope) => rowsIn(store, { scope, snapshot })))).flat();
  } finally {
    await snapshot.close();
  }
}

async function rowsIn(
  store: ViewsStore,
  { scope, snapshot }: { scope: RevocationScope; snapshot: ReturnType<ViewsStore['snapshot']> },
): Promise<RevocationRow[]> {
  const rows: RevocationRow[] = [];
  const iterator = store.iterator(revocationsOf(scope), { snapshot });
  try {
    for (;;) {
      const page = await iterator.nextv(PAGE);
      if (page.length === 0) return rows;
      for (const [key, row] of page) rows.push(openRow(key, row) as RevocationRow);
    }
  } finally {
    await iterator.close();
  }
}
