/**
 * Why something was refused, without a word of HTTP. http/problems.ts maps each code to a status.
 * `facts` are safe to show to the caller who was refused.
 */
export const rejectionCodes = [
  'InvalidRequest',
  'InvalidBucketName',
  'InvalidKey',
  'InvalidMetadata',
  'BadDigest',
  'IncompleteBody',
  'MissingAuthorization',
  'InvalidJWT',
  'AccessDenied',
  'InvalidSignature',
  'SignatureExpired',
  'NoSuchBucket',
  'NoSuchKey',
  'NoSuchRoute',
  'BucketAlreadyExists',
  'KeyAlreadyExists',
  'BucketNotEmpty',
  'IdempotencyConflict',
  'TakenOver',
  'PositionGone',
  'PreconditionFailed',
  'EntityTooLarge',
  'InvalidMimeType',
  'InvalidRange',
  'RequestTimeout',
  'LengthRequired',
  'TooManyRequests',
  'OutcomeUnknown',
  'Overloaded',
  'NotReady',
  'ReadOnly',
  'InsufficientStorage',
] as const;

export type RejectionCode = (typeof rejectionCodes)[number];

export interface Rejection {
  readonly code: RejectionCode;
  /** A sentence for the caller; left out where the code has a fixed one. */
  readonly message?: string;
  /** What the caller can do about it. */
  readonly hint?: string;
  readonly facts?: Readonly<Record<string, string | number | boolean | null>>;
}

export function rejection(
  code: RejectionCode,
  message?: string,
  more: Pick<Rejection, 'hint' | 'facts'> = {},
): Rejection {
  return { code, ...(message === undefined ? {} : { message }), ...more };
}
