/**
 * Who may do what: the one function that every access passes (FS-I3). It is pure, total and small
 * enough to read; test/domain/policy.cases.ts holds each cell of docs/access-model.md as data.
 *
 * `decide` says yes or no and by which rule. `authorize` turns a no into what the caller is told:
 * what a caller may not see does not exist for them.
 */
import type { BucketFacts, WritePolicy } from './bucket.ts';
import { type Caller, callerId } from './caller.ts';
import { type Rejection, rejection } from './rejection.ts';

export const actions = [
  'object.read',
  'object.sign_download',
  'object.read_history',
  'object.add',
  'object.overwrite',
  'object.patch',
  'object.move_away',
  'object.delete',
  'object.revoke',
  'object.list',
  'bucket.see',
  'bucket.create',
  'bucket.list',
  'bucket.update',
  'bucket.widen',
  'bucket.empty',
  'bucket.delete',
  'bucket.restore',
  'bucket.revoke',
] as const;
export type Action = (typeof actions)[number];

/** Who may create buckets: any signed-in user, or the service role alone. */
export type BucketCreators = 'authenticated' | 'service';

export interface AccessRequest {
  readonly caller: Caller;
  readonly action: Action;
  /** Left out where there is no such bucket, and for actions on no bucket in particular. */
  readonly bucket?: (BucketFacts & { readonly write_policy: WritePolicy }) | undefined;
  /** Left out where there is no such object. */
  readonly object?: { readonly owner_id: string | null } | undefined;
  /** For object.list: true where the caller owns an object of the bucket. */
  readonly ownsObjects?: boolean;
  /** The configuration's word on bucket.create; nobody but the service role where left out. */
  readonly bucketCreators?: BucketCreators;
}

/** The rule that decided: shown by explain, logged with denials and bypasses. */
export type Rule =
  | 'service role'
  | 'public bucket'
  | 'authenticated bucket'
  | 'object owner'
  | 'bucket owner'
  | 'write policy'
  | 'bucket creators'
  | 'readable rows only'
  | 'needs credentials'
  | 'no rule allows it';

export interface Decision {
  readonly allowed: boolean;
  readonly rule: Rule;
  /** True where only the service role's branch allowed it (A4: logged and counted). */
  readonly bypass: boolean;
}

export function decide(request: AccessRequest): Decision {
  const ordinary = decideOrdinary(request);
  if (ordinary.allowed || request.caller.kind !== 'service') return ordinary;
  return { allowed: true, rule: 'service role', bypass: true };
}

/** The decision, or what the caller is told instead. */
export function authorize(request: AccessRequest): {
  readonly decision: Decision;
  readonly refusal?: Rejection;
} {
  const decision = decide(request);
  if (decision.allowed && isPresent(request)) return { decision };
  return { decision, refusal: refusalOf(request, decision) };
}

/** True where the bucket, by its name, exists for the caller. */
export function seesBucket(caller: Caller, bucket: AccessRequest['bucket']): boolean {
  if (!bucket) return false;
  if (caller.kind === 'anonymous') return bucket.policy === 'public';
  return decide({ caller, action: 'bucket.see', bucket }).allowed;
}

/** What a list, a query or a stream of the bucket shows to the caller. */
export function readableRows(
  caller: Caller,
  bucket: BucketFacts,
): { readonly rows: 'all' } | { readonly rows: 'own'; readonly ownerId: string } | undefined {
  switch (caller.kind) {
    case 'anonymous':
      return undefined;
    case 'service':
      return { rows: 'all' };
    case 'user':
      return bucket.policy === 'private' ? { rows: 'own', ownerId: caller.id } : { rows: 'all' };
    default:
      return caller satisfies never;
  }
}

function decideOrdinary(request: AccessRequest): Decision {
  const { caller, action, bucket, object } = request;
  if (caller.kind === 'anonymous') {
    return action === 'object.read' && bucket?.policy === 'public'
      ? allow('public bucket')
      : deny('needs credentials');
  }
  if (action === 'bucket.list') {
    return caller.kind === 'user' ? allow('readable rows only') : unruled;
  }
  if (action === 'bucket.create') {
    return request.bucketCreators === 'authenticated' ? allow('bucket creators') : unruled;
  }
  if (!bucket) return unruled;
  const ownsBucket = isOwner(caller, bucket);
  const ownsObject = object !== undefined && isOwner(caller, object);
  switch (action) {
    case 'object.read':
    case 'object.sign_download':
      if (ownsObject) return allow('object owner');
      if (bucket.policy === 'public') return allow('public bucket');
      return bucket.policy === 'authenticated' ? allow('authenticated bucket') : unruled;
    case 'object.list':
      return listing(request, bucket);
    case 'object.add':
      if (ownsBucket) return allow('bucket owner');
      return bucket.write_policy === 'authenticated' ? allow('write policy') : unruled;
    case 'object.read_history':
    case 'object.overwrite':
    case 'object.patch':
    case 'object.move_away':
      return ownsObject ? allow('object owner') : unruled;
    case 'object.delete':
    case 'object.revoke':
      if (ownsObject) return allow('object owner');
      return ownsBucket ? allow('bucket owner') : unruled;
    case 'bucket.see':
      return seeing(caller, bucket);
    case 'bucket.update':
    case 'bucket.empty':
    case 'bucket.delete':
    case 'bucket.restore':
    case 'bucket.revoke':
      return ownsBucket ? allow('bucket owner') : unruled;
    case 'bucket.widen':
      // Its owner may not open what others put into a closed bucket.
      return unruled;
    default:
      return action satisfies never;
  }
}

function seeing(caller: Caller, bucket: NonNullable<AccessRequest['bucket']>): Decision {
  if (isOwner(caller, bucket)) return allow('bucket owner');
  if (bucket.policy === 'public') return allow('public bucket');
  if (bucket.policy === 'authenticated') return allow('authenticated bucket');
  return bucket.write_policy === 'authenticated' ? allow('write policy') : unruled;
}

/** A list shows rows that each pass; one of a private bucket shows a service token all: a bypass. */
function listing(
  { caller, ownsObjects }: AccessRequest,
  bucket: NonNullable<AccessRequest['bucket']>,
): Decision {
  if (caller.kind === 'service' && bucket.policy === 'private') return unruled;
  const visible = seeing(caller, bucket).allowed || ownsObjects === true;
  return visible ? allow('readable rows only') : unruled;
}

/**
 * An action on an object or a bucket needs one; those that make or list do not, and what was signed
 * for a path may be revoked where no object is.
 */
function isPresent({ action, bucket, object }: AccessRequest): boolean {
  if (action === 'bucket.create' || action === 'bucket.list') return true;
  if (!bucket) return false;
  if (!action.startsWith('object.')) return true;
  return mayBeOfNothing.has(action) || object !== undefined;
}

const mayBeOfNothing: ReadonlySet<Action> = new Set(['object.add', 'object.list', 'object.revoke']);

function refusalOf(request: AccessRequest, decision: Decision): Rejection {
  const { caller, action, bucket } = request;
  if (caller.kind === 'anonymous' && action !== 'object.read') {
    return rejection('MissingAuthorization', 'This needs an Authorization header', {
      hint: 'Send "Authorization: Bearer <token>".',
    });
  }
  if (action === 'bucket.create') {
    return rejection('AccessDenied', 'Only the service role may create buckets here');
  }
  if (!bucket || !seesBucket(caller, bucket)) return rejection('NoSuchBucket');
  // Allowed, and refused all the same: there is no such object.
  if (decision.allowed || (namesAnObject(action) && !isReadable(request))) {
    return rejection('NoSuchKey');
  }
  return rejection('AccessDenied', 'The policy of the bucket does not allow this', {
    facts: { action },
  });
}

/** Older bytes that are refused are not readable, whoever may read those of today. */
function isReadable(request: AccessRequest): boolean {
  if (!request.object || request.action === 'object.read_history') return false;
  return decide({ ...request, action: 'object.read' }).allowed;
}

/** Actions on an object that must be there; a write to a path answers for the path instead. */
function namesAnObject(action: Action): boolean {
  switch (action) {
    case 'object.read':
    case 'object.sign_download':
    case 'object.read_history':
    case 'object.patch':
    case 'object.move_away':
    case 'object.delete':
    case 'object.revoke':
      return true;
    case 'object.add':
    case 'object.overwrite':
    case 'object.list':
    case 'bucket.see':
    case 'bucket.create':
    case 'bucket.list':
    case 'bucket.update':
    case 'bucket.widen':
    case 'bucket.empty':
    case 'bucket.delete':
    case 'bucket.restore':
    case 'bucket.revoke':
      return false;
    default:
      return action satisfies never;
  }
}

function isOwner(caller: Caller, owned: { readonly owner_id: string | null }): boolean {
  const id = callerId(caller);
  return id !== null && owned.owner_id === id;
}

function allow(rule: Rule): Decision {
  return { allowed: true, rule, bypass: false };
}

function deny(rule: Rule): Decision {
  return { allowed: false, rule, bypass: false };
}

const unruled = deny('no rule allows it');
