import { replayBody, webhookBody } from '../../webhooks/schemas.ts';
import { changeRefusals, idempotencyKey, type Operation, type Operations } from '../operation.ts';

const prefix = '/storage/v1/webhooks';

const change = (summary: string, answer: Operation['answer']): Operation => ({
  summary,
  parameters: [idempotencyKey],
  answer,
  refusals: [...changeRefusals, 'NoSuchRoute'],
});

export const webhookOperations: Operations = {
  [`GET ${prefix}`]: {
    summary: 'List the webhooks of the caller; everybody’s for the service role',
    answer: 'Webhooks',
    refusals: [],
  },
  [`POST ${prefix}`]: {
    summary: 'Make a webhook: events from now on are sent to a URL, signed by Standard Webhooks',
    parameters: [idempotencyKey],
    json: { schema: webhookBody },
    answer: 'WebhookSecret',
    refusals: [...changeRefusals, 'InvalidBucketName', 'NoSuchBucket'],
  },
  [`GET ${prefix}/:id`]: {
    summary: 'Show a webhook: how far it has come, and what is parked',
    answer: 'WebhookWithParked',
    refusals: ['NoSuchRoute'],
  },
  [`DELETE ${prefix}/:id`]: change('Delete a webhook', 'Message'),
  [`POST ${prefix}/:id/test`]: {
    summary: 'Send a message of the type webhook.test now, once',
    answer: 'WebhookTest',
    refusals: ['NoSuchRoute'],
  },
  [`POST ${prefix}/:id/rotate`]: change(
    'Get a new secret; the old one signs beside it for 24 h',
    'WebhookSecret',
  ),
  [`POST ${prefix}/:id/pause`]: change('Send nothing until it is resumed', 'WebhookDefinition'),
  [`POST ${prefix}/:id/resume`]: change('Go on where it was', 'WebhookDefinition'),
  [`POST ${prefix}/:id/replay`]: {
    ...change('Send once more: what is parked, or all from a position on', 'WebhookReplay'),
    json: { schema: replayBody, isOptional: true },
    refusals: [...changeRefusals, 'NoSuchRoute', 'PositionGone'],
  },
};
