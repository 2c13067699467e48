/** The bodies and queries of the signed-URL routes. A field that is not known is refused by its name. */
import { z } from 'zod';
import { count, mimePattern, size } from '../schemas.ts';

const maxPaths = 1_000;

/** Seconds. */
const expiresIn = z
  .int('must be a whole number of seconds')
  .min(1, 'must be at least 1 second')
  .optional();

export const validityQuery = z.object({ expires_in: count(1).optional() });

export const signBody = z.strictObject({
  expiresIn,
  single_use: z.boolean().default(false),
  version: z.string().min(1, 'must not be empty').max(100, 'is not a version').optional(),
});

export type SignInput = z.input<typeof signBody>;

export const signManyBody = z.strictObject({
  expiresIn,
  paths: z
    .array(z.string())
    .min(1, 'must name a path')
    .max(maxPaths, `must name at most ${maxPaths} paths`),
});

export const signUploadBody = z.strictObject({
  expiresIn,
  single_use: z.boolean().default(false),
  content_type: mimePattern.nullable().default(null),
  max_size: size.default(null),
});

export type SignUploadInput = z.input<typeof signUploadBody>;

const momentMessage = 'must be a time such as "2026-01-31T12:00:00.000Z", or Unix milliseconds';

/** Unix ms. */
const moment = z
  .union([z.iso.datetime({ offset: true }), z.int()], momentMessage)
  .transform((given) => new Date(given).getTime())
  .refine((ms) => Number.isSafeInteger(ms) && ms >= 0, momentMessage);

export const revokeBody = z
  .strictObject({
    token: z.string().min(1, 'must not be empty').optional(),
    bucket: z.string().optional(),
    path: z.string().optional(),
    issued_before: moment.optional(),
  })
  .superRefine((body, context) => {
    const refuse = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message });
    const { token, bucket, path, issued_before } = body;
    if (token === undefined && bucket === undefined) {
      refuse('token', 'must be given, or "bucket" in its place');
    }
    if (token === undefined) return;
    if (bucket !== undefined) refuse('bucket', 'does not go with "token"');
    if (path !== undefined) refuse('path', 'does not go with "token"');
    if (issued_before !== undefined) refuse('issued_before', 'does not go with "token"');
  });
export type RevokeInput = z.input<typeof revokeBody>;
