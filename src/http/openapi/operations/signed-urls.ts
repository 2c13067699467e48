import type { RejectionCode } from '../../../domain/rejection.ts';
import {
  revokeBody,
  signBody,
  signManyBody,
  signUploadBody,
  validityQuery,
} from '../../signed-urls/schemas.ts';
import { changeRefusals, idempotencyKey, type Operations, type Parameter } from '../operation.ts';
import { downloadOperation, uploadParameters, uploadRefusals } from './objects.ts';

const prefix = '/storage/v1/object';

const token: Parameter = {
  name: 'token',
  in: 'query',
  description: 'What signing answered',
  isRequired: true,
};
const expires: Parameter = { name: 'expires', in: 'query', description: 'Information only' };

const signRefusals: readonly RejectionCode[] = [
  'InvalidRequest',
  'InvalidBucketName',
  'InvalidKey',
  'NoSuchBucket',
  'NoSuchKey',
  'AccessDenied',
  'KeyAlreadyExists',
  'InvalidMimeType',
  'EntityTooLarge',
  'TooManyRequests',
];
const useRefusals: readonly RejectionCode[] = [
  'InvalidSignature',
  'SignatureExpired',
  'TooManyRequests',
  'OutcomeUnknown',
  'ReadOnly',
  'InsufficientStorage',
];

export const signedUrlOperations: Operations = {
  [`POST ${prefix}/sign/:bucket/:path{.*}`]: {
    summary: 'Sign a URL for downloading an object',
    query: validityQuery,
    json: { schema: signBody, isOptional: true },
    answer: 'SignedUrl',
    refusals: signRefusals,
  },
  [`POST ${prefix}/sign/:bucket`]: {
    summary: 'Sign URLs for downloading many objects',
    query: validityQuery,
    json: { schema: signManyBody },
    answer: 'SignedUrls',
    refusals: signRefusals,
  },
  [`GET ${prefix}/sign/:bucket/:path{.*}`]: {
    ...downloadOperation,
    summary: 'Download by a signed URL',
    parameters: [token, expires, ...(downloadOperation.parameters ?? [])],
    refusals: [...downloadOperation.refusals, ...useRefusals],
  },
  [`POST ${prefix}/upload/sign/:bucket/:path{.*}`]: {
    summary: 'Sign a URL for uploading an object',
    parameters: [{ name: 'x-upsert', in: 'header', description: 'true allows to overwrite' }],
    query: validityQuery,
    json: { schema: signUploadBody, isOptional: true },
    answer: 'SignedUpload',
    refusals: signRefusals,
  },
  [`PUT ${prefix}/upload/sign/:bucket/:path{.*}`]: {
    summary: 'Upload by a signed URL',
    parameters: [token, expires, ...uploadParameters],
    bytes: true,
    answer: 'StoredObject',
    refusals: [...uploadRefusals, ...useRefusals],
  },
  [`POST ${prefix}/sign/revoke`]: {
    summary: 'Revoke signed URLs by token, path or bucket',
    parameters: [idempotencyKey],
    json: { schema: revokeBody },
    answer: 'Message',
    refusals: [...changeRefusals, ...signRefusals, 'InvalidSignature', 'SignatureExpired'],
  },
};
