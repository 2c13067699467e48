import type { RejectionCode } from '../../../domain/rejection.ts';
import {
  folderListBody,
  patchBody,
  removeManyBody,
  transferBody,
  treeListBody,
} from '../../objects/schemas.ts';
import { emptyBody, objectListQuery } from '../../schemas.ts';
import {
  changeRefusals,
  idempotencyKey,
  type Operation,
  type Operations,
  type Parameter,
} from '../operation.ts';

const prefix = '/storage/v1/object';

const header = (name: string, description: string): Parameter => ({
  name,
  in: 'header',
  description,
});
const query = (name: string, description: string): Parameter => ({
  name,
  in: 'query',
  description,
});

const names: readonly RejectionCode[] = ['InvalidRequest', 'InvalidBucketName', 'InvalidKey'];
const missing: readonly RejectionCode[] = ['NoSuchBucket', 'NoSuchKey'];
const expected = [
  header('if-match', 'Only where the object has one of these etags'),
  header('if-unmodified-since', 'Only where the object has not changed since'),
];
const upsert = header('x-upsert', 'true overwrites');

export const uploadParameters: readonly Parameter[] = [
  idempotencyKey,
  ...expected,
  header('if-none-match', '"*": only where there is no object'),
  header('x-metadata', 'User metadata: base64 of a JSON object'),
  header('cache-control', 'Sent with downloads'),
  header('content-digest', 'sha-256 or sha-512 of the body (RFC 9530), checked'),
];

export const uploadRefusals: readonly RejectionCode[] = [
  ...changeRefusals,
  ...names,
  'NoSuchBucket',
  'InvalidMetadata',
  'BadDigest',
  'IncompleteBody',
  'KeyAlreadyExists',
  'PreconditionFailed',
  'EntityTooLarge',
  'InvalidMimeType',
  'RequestTimeout',
  'LengthRequired',
];

export const downloadOperation: Operation = {
  summary: 'Download an object',
  description: 'One range, and the preconditions of RFC 9110, are honoured.',
  parameters: [
    header('range', 'bytes=first-last'),
    header('if-none-match', 'Etags that the caller has'),
    query('download', 'Sends content-disposition; a value is the file name'),
  ],
  answer: 'bytes',
  refusals: [...names, ...missing, 'AccessDenied', 'PreconditionFailed', 'InvalidRange'],
};

const infoOperation: Operation = {
  summary: 'Show an object',
  answer: 'ObjectInfo',
  refusals: [...names, ...missing, 'AccessDenied'],
};

const transfer = (summary: string, answer: Operation['answer']): Operation => ({
  summary,
  parameters: [upsert, idempotencyKey],
  json: { schema: transferBody },
  answer,
  refusals: [
    ...changeRefusals,
    ...names,
    ...missing,
    'InvalidMetadata',
    'KeyAlreadyExists',
    'EntityTooLarge',
    'InvalidMimeType',
    'PreconditionFailed',
  ],
});

const upload = (summary: string, parameters: readonly Parameter[]): Operation => ({
  summary,
  parameters,
  bytes: true,
  answer: 'StoredObject',
  refusals: uploadRefusals,
});

const listRefusals: readonly RejectionCode[] = [
  'InvalidRequest',
  'InvalidBucketName',
  'NoSuchBucket',
  'AccessDenied',
];

export const objectOperations: Operations = {
  [`POST ${prefix}/copy`]: transfer('Copy an object', 'StoredObject'),
  [`POST ${prefix}/move`]: transfer('Move an object', 'MovedObject'),
  [`GET ${prefix}/list/:bucket`]: {
    summary: 'List objects and common prefixes',
    query: objectListQuery,
    answer: 'ObjectList',
    refusals: listRefusals,
  },
  [`POST ${prefix}/list/:bucket`]: {
    summary: 'List a folder, by offset (storage-js)',
    json: { schema: folderListBody, isOptional: true },
    answer: 'FolderList',
    refusals: listRefusals,
  },
  [`POST ${prefix}/list-v2/:bucket`]: {
    summary: 'List a tree, by cursor (storage-js)',
    json: { schema: treeListBody, isOptional: true },
    answer: 'TreeList',
    refusals: listRefusals,
  },
  [`GET ${prefix}/info/:bucket/:path{.*}`]: infoOperation,
  [`GET ${prefix}/info/authenticated/:bucket/:path{.*}`]: infoOperation,
  [`GET ${prefix}/info/public/:bucket/:path{.*}`]: infoOperation,
  [`GET ${prefix}/:bucket/:path{.*}`]: downloadOperation,
  [`GET ${prefix}/authenticated/:bucket/:path{.*}`]: downloadOperation,
  [`GET ${prefix}/public/:bucket/:path{.*}`]: downloadOperation,
  [`POST ${prefix}/:bucket/:path{.*}`]: upload('Upload an object', [
    header('x-upsert', 'false refuses to overwrite'),
    ...uploadParameters,
  ]),
  [`PUT ${prefix}/:bucket/:path{.*}`]: upload('Upload or overwrite an object', uploadParameters),
  [`PATCH ${prefix}/:bucket/:path{.*}`]: {
    summary: 'Change metadata, cache control or content type',
    parameters: [
      ...expected,
      header('if-version', 'Only where this is the version'),
      idempotencyKey,
    ],
    json: { schema: patchBody },
    answer: 'Object',
    refusals: [
      ...changeRefusals,
      ...names,
      ...missing,
      'InvalidMetadata',
      'InvalidMimeType',
      'PreconditionFailed',
    ],
  },
  [`DELETE ${prefix}/:bucket/:path{.*}`]: {
    summary: 'Delete an object',
    parameters: [...expected, idempotencyKey],
    json: { schema: emptyBody, isOptional: true },
    answer: 'Message',
    refusals: [...changeRefusals, ...names, ...missing, 'PreconditionFailed'],
  },
  [`DELETE ${prefix}/:bucket`]: {
    summary: 'Delete many objects at once',
    parameters: [idempotencyKey],
    json: { schema: removeManyBody },
    answer: 'RemovedObjects',
    refusals: [...changeRefusals, ...names, 'NoSuchBucket'],
  },
};
