/** The bodies of the consumer routes, and what they answer; the fields of a filter, which webhooks share. */
import { z } from 'zod';
import { publicTypes } from '../../domain/public-events/announcement.ts';
import { text } from '../schemas.ts';

const typesMessage = `must be among ${publicTypes.join(', ')}`;

/** Left out or null: no condition. */
export const filterFields = {
  bucket: text(100).nullable().optional(),
  prefix: text(1024).nullable().optional(),
  types: z
    .array(z.enum(publicTypes, typesMessage))
    .min(1, 'must name a type')
    .max(publicTypes.length, `must name at most ${publicTypes.length} types`)
    .nullable()
    .optional(),
};

/** `beginning`, `now`, a position, or an id. */
export const startField = z
  .union([z.int().nonnegative(), text(64)], 'must be a position, an id, "beginning" or "now"')
  .transform(String)
  .optional();

export const consumerBody = z.strictObject({ ...filterFields, from: startField });

export const ackBody = z.strictObject({ id: text(64) });

const time = z.string().describe('RFC 3339 in UTC, with milliseconds');
const count = z.number().int().min(0);

export const consumerDefinition = z.object({
  name: z.string(),
  bucket: z.string().nullable(),
  prefix: z.string().nullable(),
  types: z.array(z.string()).nullable(),
  owner_id: z.string().nullable(),
  created_at: time,
  updated_at: time,
});

export const consumer = consumerDefinition.extend({
  position: count.describe('All up to here is acknowledged, or was none of its events'),
  lag: z.object({
    events: count.describe('Records of the log that lie ahead: its events are among them'),
    seconds: z.number().min(0).describe('How long ago the first of them was committed'),
  }),
  connected: z.boolean(),
});
export const consumers = z.array(consumer);
export const acknowledged = z.object({ position: count });
