/** The parameters of a query that are not filters; every other one names a column. */
import { z } from 'zod';
import { limit } from '../schemas.ts';

export const queryParameters = z.object({
  select: z.string().max(2_000, 'must have at most 2,000 characters').optional(),
  order: z.string().max(2_000, 'must have at most 2,000 characters').default(''),
  limit,
  cursor: z
    .string()
    .max(8 * 1024, 'is not a cursor of this query')
    .optional(),
  explain: z
    .enum(['true', 'false'])
    .transform((word) => word === 'true')
    .default(false),
});
