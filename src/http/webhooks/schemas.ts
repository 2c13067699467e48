/** The bodies of the webhook routes, and what they answer. */
import { z } from 'zod';
import { webhookStates } from '../../domain/events.ts';
import { filterFields, startField } from '../consumers/schemas.ts';

export const webhookBody = z.strictObject({ url: z.string(), ...filterFields });

const maxReplayed = 1_000;

export const replayBody = z
  .strictObject({
    from: startField,
    events: z
      .array(z.string())
      .min(1, 'must name an event')
      .max(maxReplayed, `must name at most ${maxReplayed} events`)
      .optional(),
  })
  .refine(({ from, events }) => from === undefined || events === undefined, {
    path: ['events'],
    message: 'does not go with "from"',
  });

const text = z.string();
const time = text.describe('RFC 3339 in UTC, with milliseconds');
const count = z.number().int().min(0);

const attempt = z.object({
  at: time,
  delivered: z.boolean(),
  status: count.nullable().describe('Of the answer; null where there was none'),
  error: text.nullable(),
});

export const webhookDefinition = z.object({
  id: text,
  url: text,
  bucket: text.nullable(),
  prefix: text.nullable(),
  types: z.array(text).nullable(),
  state: z.enum(webhookStates),
  reason: text.nullable().describe('Why the store disabled it'),
  owner_id: text.nullable(),
  created_at: time,
  updated_at: time,
});

export const webhook = webhookDefinition.extend({
  position: count.describe('All up to here was delivered or parked, or was none of its events'),
  tries: count.describe('Of the next event, so far'),
  next_try_at: time.nullable(),
  last: attempt.nullable(),
  parked_count: count,
});

export const webhookWithParked = webhook.extend({
  parked: z.array(attempt.extend({ id: text, tries: count })).describe('The oldest 100'),
});

export const webhooks = z.array(webhook);
export const webhookSecret = z.object({ id: text, secret: text.describe('Shown only here') });
export const tested = attempt.extend({ took_ms: count });
export const replayed = z.object({ replayed: count });
