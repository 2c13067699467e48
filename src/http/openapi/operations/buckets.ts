import { bucketBody, bucketListQuery, emptyBody, forceQuery } from '../../schemas.ts';
import { changeRefusals, idempotencyKey, type Operations } from '../operation.ts';

const prefix = '/storage/v1/bucket';
const nothing = { schema: emptyBody, isOptional: true };
const parameters = [idempotencyKey];

export const bucketOperations: Operations = {
  [`GET ${prefix}`]: {
    summary: 'List the buckets that the caller sees',
    query: bucketListQuery,
    answer: 'Buckets',
    refusals: ['InvalidRequest'],
  },
  [`POST ${prefix}`]: {
    summary: 'Create a bucket',
    description: '"name" or "id" is required.',
    parameters,
    json: { schema: bucketBody },
    answer: 'Bucket',
    refusals: [...changeRefusals, 'InvalidRequest', 'InvalidBucketName', 'BucketAlreadyExists'],
  },
  [`GET ${prefix}/:bucket`]: {
    summary: 'Show a bucket',
    answer: 'Bucket',
    refusals: ['InvalidRequest', 'InvalidBucketName', 'NoSuchBucket'],
  },
  [`PUT ${prefix}/:bucket`]: {
    summary: 'Change the settings of a bucket',
    parameters,
    json: { schema: bucketBody },
    answer: 'UpdatedBucket',
    refusals: [...changeRefusals, 'InvalidRequest', 'InvalidBucketName', 'NoSuchBucket'],
  },
  [`DELETE ${prefix}/:bucket`]: {
    summary: 'Delete a bucket',
    parameters,
    query: forceQuery,
    json: nothing,
    answer: 'Message',
    refusals: [
      ...changeRefusals,
      'InvalidRequest',
      'InvalidBucketName',
      'NoSuchBucket',
      'BucketNotEmpty',
    ],
  },
  [`POST ${prefix}/:bucket/empty`]: {
    summary: 'Delete everything in a bucket',
    parameters,
    json: nothing,
    answer: 'EmptiedBucket',
    refusals: [...changeRefusals, 'InvalidRequest', 'InvalidBucketName', 'NoSuchBucket'],
  },
};
