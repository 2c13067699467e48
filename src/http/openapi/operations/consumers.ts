import { ackBody, consumerBody } from '../../consumers/schemas.ts';
import { changeRefusals, idempotencyKey, type Operations } from '../operation.ts';

const prefix = '/storage/v1/consumers';

export const consumerOperations: Operations = {
  [`GET ${prefix}`]: {
    summary: 'List the consumers of the caller; everybody’s for the service role',
    answer: 'Consumers',
    refusals: [],
  },
  [`PUT ${prefix}/:name`]: {
    summary: 'Make a consumer, or give it another filter',
    description: '"from" counts for a new one only: an existing one stays where it is.',
    parameters: [idempotencyKey],
    json: { schema: consumerBody, isOptional: true },
    answer: 'ConsumerDefinition',
    refusals: [...changeRefusals, 'InvalidBucketName', 'NoSuchBucket', 'PositionGone'],
  },
  [`GET ${prefix}/:name`]: {
    summary: 'Show a consumer: where it is, how far it is behind, whether somebody reads',
    answer: 'Consumer',
    refusals: ['NoSuchRoute'],
  },
  [`DELETE ${prefix}/:name`]: {
    summary: 'Delete a consumer; its reader is ended',
    parameters: [idempotencyKey],
    answer: 'Message',
    refusals: [...changeRefusals, 'NoSuchRoute'],
  },
  [`GET ${prefix}/:name/events`]: {
    summary: 'Its events from what was acknowledged last on, as server-sent events',
    description: 'One reader at a time: the one before is ended with the code TakenOver.',
    answer: 'stream',
    refusals: ['NoSuchRoute', 'PositionGone', 'TakenOver'],
  },
  [`POST ${prefix}/:name/ack`]: {
    summary: 'Acknowledge all events up to one, itself included',
    json: { schema: ackBody },
    answer: 'Acknowledged',
    refusals: ['NoSuchRoute', 'PositionGone'],
  },
};
