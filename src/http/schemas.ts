/**
 * The shapes of JSON bodies and queries: what validates is also what the API's document is made from.
 * A field that is not known is refused by its name.
 */
import { z } from 'zod';
import { bucketPolicies, writePolicies } from '../domain/bucket.ts';
import { rejection } from '../domain/rejection.ts';
import { ok, type Result, refuse } from '../domain/result.ts';
import { isMimePattern } from '../domain/values/mime.ts';
import { parseSize } from '../domain/values/sizes.ts';

const maxMimePatterns = 200;

/** Text of at most `max` characters. A lone surrogate would be looked up as U+FFFD, another text. */
export function text(max: number) {
  return z
    .string()
    .max(max, `must have at most ${max.toLocaleString('en')} characters`)
    .refine((given) => given.isWellFormed(), 'must be well-formed Unicode');
}

export const mimePattern = z
  .string()
  .transform((text) => text.trim().toLowerCase())
  .refine(isMimePattern, 'must be a type such as "image/png" or "image/*"');

const sizeMessage = 'must be a whole number of bytes or a size such as "20mb"';

/** Bytes, or a text such as `20mb`; null for no limit. */
export const size = z
  .union([z.number(), z.string(), z.null()], sizeMessage)
  .transform((value) => (typeof value === 'string' ? (parseSize(value) ?? Number.NaN) : value))
  .refine((bytes) => bytes === null || (Number.isSafeInteger(bytes) && bytes >= 0), sizeMessage);

const settings = {
  policy: z.enum(bucketPolicies).optional(),
  /** Supabase's word: true is policy public. */
  public: z.boolean().optional(),
  write_policy: z.enum(writePolicies).optional(),
  allowed_mime_types: z
    .array(mimePattern)
    .min(1, 'must hold a type; null allows every type')
    .max(maxMimePatterns, `must hold at most ${maxMimePatterns} types`)
    .nullable()
    .optional(),
  max_file_size: size.optional(),
  file_size_limit: size.optional(),
  type: z.literal('STANDARD').optional(),
  id: z.string().optional(),
  name: z.string().optional(),
};

export const bucketBody = z.strictObject(settings).superRefine((body, context) => {
  const disagree = (path: string, message: string) =>
    context.addIssue({ code: 'custom', path: [path], message });
  if (body.id !== undefined && body.name !== undefined && body.id !== body.name) {
    disagree('id', 'must equal "name"');
  }
  if (body.public !== undefined && body.policy !== undefined) {
    if (body.public !== (body.policy === 'public')) disagree('public', 'must agree with "policy"');
  }
  if (body.max_file_size !== undefined && body.file_size_limit !== undefined) {
    if (body.max_file_size !== body.file_size_limit) {
      disagree('file_size_limit', 'must equal "max_file_size"');
    }
  }
});
export type BucketBody = z.infer<typeof bucketBody>;
/** As it is sent. */
export type BucketInput = z.input<typeof bucketBody>;

/** What a kind of job takes besides is checked by it. */
export const jobBody = z.looseObject({ kind: z.string('must name a kind of job') });

export const emptyBody = z.strictObject({});

/** A whole number in decimal digits, at least `min`. */
export function count(min: number) {
  return z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= min, `must be at least ${min}`);
}

const maxRows = 1_000;

export const limit = count(1)
  .transform((rows) => Math.min(rows, maxRows))
  .default(maxRows);

export const bucketListQuery = z.object({
  limit,
  offset: count(0).default(0),
  search: text(100).default(''),
  sortColumn: z.enum(['id', 'name', 'created_at', 'updated_at']).default('name'),
  sortOrder: z.enum(['asc', 'desc']).default('asc'),
});

export const forceQuery = z.object({
  force: z
    .enum(['true', 'false'])
    .transform((word) => word === 'true')
    .default(false),
});

export const objectListQuery = z.object({
  prefix: text(1024).default(''),
  delimiter: text(64).default(''),
  limit,
  cursor: z
    .string()
    .max(8 * 1024, 'is not a cursor of this list')
    .optional(),
});

/** A refusal of what a field of a body holds names the field. */
export function ofField<T>(field: string, parsed: Result<T>): Result<T> {
  if (parsed.ok) return parsed;
  const { message = '', ...rest } = parsed.rejection;
  return refuse({ ...rest, message: `The field "${field}": ${message}` });
}

/** `value` in the schema's shape, or a refusal that names the first thing wrong with it. */
export function parseBody<T>(schema: z.ZodType<T>, value: unknown): Result<T> {
  const parsed = schema.safeParse(value);
  return parsed.success ? ok(parsed.data) : refuse(describe(parsed.error, 'field'));
}

/** Parameters that the schema does not know are ignored; one that is given twice is refused. */
export function parseQuery<S extends z.ZodObject>(
  schema: S,
  query: URLSearchParams,
): Result<z.infer<S>> {
  const given: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const values = query.getAll(name);
    if (values.length > 1) {
      return refuse(rejection('InvalidRequest', `The parameter "${name}" is given more than once`));
    }
    if (values[0] !== undefined) given[name] = values[0];
  }
  const parsed = schema.safeParse(given);
  return parsed.success ? ok(parsed.data) : refuse(describe(parsed.error, 'parameter'));
}

function describe(error: z.ZodError, noun: 'field' | 'parameter') {
  const [issue] = error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    return rejection('InvalidRequest', `Unknown ${noun} "${shorten(key)}"`);
  }
  const path = issue?.path.join('.') ?? '';
  const message = issue?.message ?? 'is not valid';
  if (path === '') return rejection('InvalidRequest', 'The body must be a JSON object');
  return rejection('InvalidRequest', `The ${noun} "${shorten(path)}": ${message}`);
}

function shorten(name: string): string {
  return name.length > 100 ? `${name.slice(0, 100)}…` : name;
}
