/** The views in the data directory: the rows of store.ts on the LevelDB of level.ts. */
import type { LevelPlace } from './level.ts';
import { destroyLevel, openLevel } from './level.ts';
import { openViewsStore, type ViewsStore } from './store.ts';

export interface StoredViewsOptions extends LevelPlace {
  /** Names views that are made now. */
  readonly newId: () => string;
  /** Remove what is there first. */
  readonly fresh?: boolean;
}

/** Throws ViewsDamaged where the rows about the views themselves are not readable. */
export async function openStoredViews(options: StoredViewsOptions): Promise<ViewsStore> {
  if (options.fresh) await destroyLevel(options);
  const { database, flush } = await openLevel(options);
  try {
    return await openViewsStore({ database, flush, newId: options.newId });
  } catch (cause) {
    await database.close();
    throw cause;
  }
}
