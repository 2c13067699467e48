/** What the document says of one method of one route, beside what the route itself knows. */
import type { z } from 'zod';
import type { RejectionCode } from '../../domain/rejection.ts';

export interface Operation {
  readonly summary: string;
  readonly description?: string;
  /** The schema that validates the query. */
  readonly query?: z.ZodObject;
  /** Parameters that no schema lists one by one. */
  readonly parameters?: readonly Parameter[];
  /** The schema that validates a JSON body; `isOptional` where it may be missing. */
  readonly json?: { readonly schema: z.ZodType; readonly isOptional?: boolean };
  /** The body is an object's bytes, raw or as a form. */
  readonly bytes?: true;
  /** By the name of a schema in `answers`, or the bytes of an object, or a page. */
  readonly answer: AnswerName | 'bytes' | 'stream' | 'html' | 'javascript' | 'css' | 'document';
  /** What it may be refused with, beside what every route may. */
  readonly refusals: readonly RejectionCode[];
}

export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'header';
  readonly description: string;
  readonly isRequired?: true;
}

/** By method and pattern: `GET /storage/v1/bucket/:bucket`. */
export type Operations = Readonly<Record<string, Operation>>;

export type AnswerName =
  | 'Message'
  | 'Bucket'
  | 'Buckets'
  | 'UpdatedBucket'
  | 'EmptiedBucket'
  | 'Object'
  | 'StoredObject'
  | 'MovedObject'
  | 'ObjectInfo'
  | 'ObjectList'
  | 'FolderList'
  | 'TreeList'
  | 'RemovedObjects'
  | 'SignedUrl'
  | 'SignedUrls'
  | 'SignedUpload'
  | 'ObjectQuery'
  | 'BucketQuery'
  | 'Event'
  | 'EventsToken'
  | 'Consumer'
  | 'ConsumerDefinition'
  | 'Consumers'
  | 'Acknowledged'
  | 'Webhook'
  | 'WebhookDefinition'
  | 'WebhookWithParked'
  | 'Webhooks'
  | 'WebhookSecret'
  | 'WebhookTest'
  | 'WebhookReplay'
  | 'Live'
  | 'Ready'
  | 'Status'
  | 'Recovery'
  | 'Digest'
  | 'Job'
  | 'Jobs'
  | 'StartedJob';

/** What every change may meet. */
export const changeRefusals = [
  'AccessDenied',
  'IdempotencyConflict',
  'OutcomeUnknown',
  'Overloaded',
  'ReadOnly',
  'InsufficientStorage',
] as const satisfies readonly RejectionCode[];

export const idempotencyKey: Parameter = {
  name: 'idempotency-key',
  in: 'header',
  description:
    'A repeat within 24 h by the same caller is answered as the first was and changes nothing',
};
