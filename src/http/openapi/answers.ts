/** The answers' schemas under the names by which the document refers to them. */
import type { z } from 'zod';
import * as consumers from '../consumers/schemas.ts';
import * as events from '../events/schemas.ts';
import * as webhooks from '../webhooks/schemas.ts';
import * as shapes from './answer-schemas.ts';
import type { AnswerName } from './operation.ts';
import * as operator from './operator-schemas.ts';

export const answers: Readonly<Record<AnswerName | 'Problem', z.ZodType>> = {
  Problem: shapes.problem,
  Message: shapes.message,
  Bucket: shapes.bucket,
  Buckets: shapes.buckets,
  UpdatedBucket: shapes.updatedBucket,
  EmptiedBucket: shapes.emptiedBucket,
  Object: shapes.object,
  StoredObject: shapes.storedObject,
  MovedObject: shapes.movedObject,
  ObjectInfo: shapes.objectInfo,
  ObjectList: shapes.objectList,
  FolderList: shapes.folderList,
  TreeList: shapes.treeList,
  RemovedObjects: shapes.removedObjects,
  SignedUrl: shapes.signedUrl,
  SignedUrls: shapes.signedUrls,
  SignedUpload: shapes.signedUpload,
  ObjectQuery: shapes.objectQuery,
  BucketQuery: shapes.bucketQuery,
  Event: events.storageEvent,
  EventsToken: events.eventsToken,
  Consumer: consumers.consumer,
  ConsumerDefinition: consumers.consumerDefinition,
  Consumers: consumers.consumers,
  Acknowledged: consumers.acknowledged,
  Webhook: webhooks.webhook,
  WebhookDefinition: webhooks.webhookDefinition,
  WebhookWithParked: webhooks.webhookWithParked,
  Webhooks: webhooks.webhooks,
  WebhookSecret: webhooks.webhookSecret,
  WebhookTest: webhooks.tested,
  WebhookReplay: webhooks.replayed,
  Live: operator.live,
  Ready: operator.ready,
  Status: operator.status,
  Recovery: operator.recovery,
  Digest: operator.digest,
  Job: operator.job,
  Jobs: operator.jobs,
  StartedJob: operator.startedJob,
};
