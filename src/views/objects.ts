/** Reads of objects: one, a page of a list, all of them. Order is by the UTF-8 bytes of the path. */
import type { AbstractSnapshot } from 'abstract-level';
import type { KeyspaceId, ObjectPath } from '../domain/names.ts';
import type { ObjectRow } from '../domain/object.ts';
import { keyspaceOf, kindRange, objectKey, ownedKey, within } from './keys.ts';
import { Steps } from './reading/steps.ts';
import type { ViewsStore } from './store.ts';
import type { ListMark, ListPage, ListQuery } from './views.ts';

export function readObject(
  store: ViewsStore,
  keyspace: KeyspaceId,
  path: ObjectPath,
): ObjectRow | undefined {
  return store.get(objectKey(keyspace, path)) as ObjectRow | undefined;
}

/** From one snapshot; the cost is that of the page, whatever lies under its common prefixes. */
export async function listObjects(store: ViewsStore, query: ListQuery): Promise<ListPage> {
  const snapshot = store.snapshot();
  try {
    return await readPage(store, query, snapshot);
  } finally {
    await snapshot.close();
  }
}

async function readPage(
  store: ViewsStore,
  { limit, ...query }: ListQuery,
  snapshot: AbstractSnapshot,
): Promise<ListPage> {
  const objects: ObjectRow[] = [];
  const prefixes: string[] = [];
  if (limit <= 0) return { objects, prefixes, next: undefined };
  const expected = query.delimiter ? 32 : limit + 1;
  const steps = new Steps(store, query, { snapshot, expected });
  try {
    let next: ListMark | undefined;
    for (;;) {
      const step = steps.take() ?? (await steps.next());
      if (!step) return { objects, prefixes, next: undefined };
      if (objects.length + prefixes.length >= limit) return { objects, prefixes, next };
      if (step.kind === 'path') objects.push(step.row());
      else prefixes.push(step.value);
      next = { kind: step.kind, value: step.value };
    }
  } finally {
    await steps.close();
  }
}

export async function ownsAny(
  store: ViewsStore,
  keyspace: KeyspaceId,
  ownerId: string,
): Promise<boolean> {
  return !(await store.isEmpty(within(ownedKey(ownerId, keyspace, ''))));
}

export async function* everyObject(
  store: ViewsStore,
): AsyncGenerator<{ readonly keyspace: KeyspaceId; readonly row: ObjectRow }> {
  for await (const { key, value } of store.entries(kindRange('o'))) {
    yield { keyspace: keyspaceOf(key), row: value as ObjectRow };
  }
}
