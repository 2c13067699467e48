/** The parameters of the event routes. A field or parameter that is wrong is refused by its name. */
import { z } from 'zod';
import { publicTypes } from '../../domain/public-events/announcement.ts';
import { object } from '../openapi/answer-schemas.ts';
import { text } from '../schemas.ts';

const maxTypes = publicTypes.length;
const typesMessage = `must be among ${publicTypes.join(', ')}`;
const publicType = z.enum(publicTypes, typesMessage);
const prefix = text(1024);
const bucket = text(100);

export const eventsQuery = z.object({
  bucket: bucket.optional(),
  prefix: prefix.optional(),
  /** Comma-separated. */
  types: z
    .string()
    .transform((words) => words.split(',').map((word) => word.trim()))
    .pipe(z.array(publicType))
    .optional(),
  from: text(64).optional(),
  token: z.string().optional(),
});

export const eventsTokenBody = z.strictObject({
  bucket: bucket.nullable().optional(),
  prefix: prefix.nullable().optional(),
  types: z
    .array(publicType)
    .min(1, 'must name a type')
    .max(maxTypes, `must name at most ${maxTypes} types`)
    .nullable()
    .optional(),
});

const name = z.string();
const place = { bucket: name, path: name };
const state = { version: name, size: z.int(), etag: name };
const ownPosition = z.int().nonnegative();

/** What subscribers and webhooks are told. */
export const storageEvent = z.object({
  id: name.describe('evt_<epoch>_<position>'),
  type: publicType,
  bucket: name.nullable().describe('null of a move to where the caller may not see it'),
  path: name.nullable().describe('null of a bucket, and as "bucket"'),
  object_id: name.nullable().describe('null of a bucket'),
  owner_id: name.nullable(),
  timestamp: z.string(),
  position: ownPosition,
  object: object.optional().describe('After created and updated'),
  previous: z
    .object({ bucket: name.optional(), path: name.optional(), ...state })
    .optional()
    .describe('What was overwritten, deleted, or moved from there'),
  changed: z.array(name).optional().describe('The fields that have another value now'),
  copied_from: z.object({ ...place, object_id: name }).optional(),
  restored_from: name.optional(),
  cause: z.object({ type: publicType, position: ownPosition }).optional(),
});
export type StorageEvent = z.infer<typeof storageEvent>;

export const eventsToken = z.object({
  token: name.describe('For one connection: ?token='),
  expires_at: z.string(),
});
