/**
 * The one place where a refusal becomes an HTTP status, held by test/http/problems.test.ts against
 * every code of the domain. Nothing internal (paths, stacks, causes) can leave by it: a problem is
 * made of a code and of facts that the domain declared safe to show.
 */
import type { Rejection, RejectionCode } from '../domain/rejection.ts';
import { allowanceHeaders } from './limits/rate-limits.ts';
import { type Answer, jsonAnswer } from './wire/answer.ts';

/** Codes that only a door can come to. */
export type DoorCode = 'MethodNotAllowed' | 'HeaderTooLarge' | 'InternalError';

export interface Problem extends Omit<Rejection, 'code'> {
  readonly code: RejectionCode | DoorCode;
}

interface Wording {
  readonly status: number;
  /** Where left out, the code. */
  readonly error?: string;
  /** Fixed, whatever the rejection says. */
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const duplicate = { error: 'Duplicate', message: 'The resource already exists' };
const invalidToken = { 'www-authenticate': 'Bearer error="invalid_token"' };

export const problems: Readonly<Record<Problem['code'], Wording>> = {
  InvalidRequest: { status: 400 },
  InvalidBucketName: { status: 400 },
  InvalidKey: { status: 400 },
  InvalidMetadata: { status: 400 },
  BadDigest: { status: 400 },
  IncompleteBody: { status: 400 },
  // RFC 6750 §3.1: a request without credentials is told the scheme and no error.
  MissingAuthorization: { status: 401, headers: { 'www-authenticate': 'Bearer' } },
  InvalidJWT: { status: 401, headers: invalidToken },
  AccessDenied: { status: 403, error: 'Unauthorized' },
  InvalidSignature: { status: 403 },
  SignatureExpired: { status: 403 },
  NoSuchBucket: { status: 404, error: 'Bucket not found', message: 'Bucket not found' },
  NoSuchKey: { status: 404, error: 'not_found', message: 'Object not found' },
  NoSuchRoute: { status: 404 },
  MethodNotAllowed: { status: 405 },
  RequestTimeout: { status: 408 },
  PositionGone: { status: 410 },
  LengthRequired: { status: 411 },
  BucketAlreadyExists: { status: 409, ...duplicate },
  KeyAlreadyExists: { status: 409, ...duplicate },
  BucketNotEmpty: {
    status: 409,
    error: 'ResourceNotEmpty',
    message: 'The bucket you tried to delete is not empty',
  },
  IdempotencyConflict: { status: 409 },
  TakenOver: { status: 409 },
  PreconditionFailed: { status: 412 },
  EntityTooLarge: {
    status: 413,
    error: 'Payload too large',
    message: 'The object exceeded the maximum allowed size',
  },
  InvalidMimeType: { status: 415, error: 'invalid_mime_type' },
  InvalidRange: { status: 416 },
  TooManyRequests: { status: 429, headers: { 'retry-after': '60' } },
  HeaderTooLarge: { status: 431 },
  InternalError: { status: 500, message: 'Something went wrong inside the server' },
  OutcomeUnknown: { status: 503, headers: { 'retry-after': '5' } },
  Overloaded: { status: 503, headers: { 'retry-after': '1' } },
  NotReady: { status: 503, headers: { 'retry-after': '1' } },
  ReadOnly: { status: 503, headers: { 'retry-after': '30' } },
  InsufficientStorage: { status: 507 },
};

/** `headers` are those that only the place of the refusal knows, such as Allow. */
export function problemAnswer(
  problem: Problem,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const wording = problems[problem.code];
  const body = {
    statusCode: String(wording.status),
    error: wording.error ?? problem.code,
    message: wording.message ?? problem.message ?? problem.code,
    code: problem.code,
    ...(problem.hint === undefined ? {} : { hint: problem.hint }),
    ...problem.facts,
  };
  const all = { ...wording.headers, ...limitHeaders(problem), ...headers };
  return jsonAnswer(body, { status: wording.status, headers: all });
}

/** What a refusal for its rate says about when to come again. */
function limitHeaders({ code, facts = {} }: Problem): Readonly<Record<string, string>> {
  const { limit, retry_after: seconds } = facts;
  if (code !== 'TooManyRequests' || typeof limit !== 'number' || typeof seconds !== 'number') {
    return {};
  }
  const spent = allowanceHeaders({ limit, remaining: 0, resetSeconds: seconds });
  return { 'retry-after': String(seconds), ...spent };
}

/** A fault, as the caller may know of it. The log has the rest, under the request id. */
export function faultAnswer(): Answer {
  return problemAnswer({ code: 'InternalError' });
}
