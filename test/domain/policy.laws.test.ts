/** Laws of the policy, on any caller, bucket and object. */
import { test } from '@fast-check/vitest';
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { bucketPolicies, writePolicies } from '../../src/domain/bucket.ts';
import type { Caller } from '../../src/domain/caller.ts';
import type { BucketName } from '../../src/domain/names.ts';
import {
  type AccessRequest,
  actions,
  authorize,
  decide,
  readableRows,
  seesBucket,
} from '../../src/domain/policy.ts';
import { bucketOf } from './samples.ts';

const ids = fc.constantFrom('boris', 'olga', 'uma');
const owners = fc.option(ids, { nil: null });

const aUser: fc.Arbitrary<Caller> = ids.map((id) => ({ kind: 'user', id }));
const aService: fc.Arbitrary<Caller> = owners.map((id) => ({ kind: 'service', id }));
const aCaller = fc.oneof(fc.constant<Caller>({ kind: 'anonymous' }), aUser, aService);

const aBucket = fc
  .record({
    name: fc.constantFrom('secret-name', 'other-name').map((name) => name as BucketName),
    policy: fc.constantFrom(...bucketPolicies),
    write_policy: fc.constantFrom(...writePolicies),
    owner_id: owners,
  })
  .map(bucketOf);
const anObject = fc.record({ owner_id: owners });
const anAction = fc.constantFrom(...actions);

const aRequest = fc.record({
  caller: aCaller,
  action: anAction,
  bucket: fc.option(aBucket, { nil: undefined }),
  object: fc.option(anObject, { nil: undefined }),
  ownsObjects: fc.boolean(),
  bucketCreators: fc.constantFrom('authenticated' as const, 'service' as const),
});
const onThingsThatExist = aRequest.chain((request) =>
  fc
    .record({ bucket: aBucket, object: anObject })
    .map((things): AccessRequest => ({ ...request, ...things })),
);

const refusal = (request: AccessRequest) => authorize(request).refusal;

describe('service role', () => {
  test.prop([onThingsThatExist, aService])('is allowed whatever exists', (request, caller) => {
    expect(authorize({ ...request, caller })).not.toHaveProperty('refusal');
    expect(readableRows(caller, bucketOf())).toEqual({ rows: 'all' });
  });

  test.prop([aRequest])('is a bypass only where no user of its id would be allowed', (request) => {
    const decision = decide(request);
    if (!decision.bypass) return;
    expect(request.caller.kind).toBe('service');
    const { caller } = request;
    const id =
      caller.kind === 'service' && caller.id !== null ? caller.id : 'a service without sub';
    const asUser = decide({ ...request, caller: { kind: 'user', id } });
    // A list shows a user what is readable, a service token all; only it lists unseen rows.
    const showsMore = request.action === 'object.list' || request.action === 'bucket.list';
    if (!showsMore) expect(asUser.allowed).toBe(false);
  });

  test.prop([aRequest])('needs no bypass where a user of its id is allowed', (request) => {
    const { caller, action, bucket } = request;
    if (caller.kind !== 'user') return;
    const showsMore =
      action === 'bucket.list' || (action === 'object.list' && bucket?.policy === 'private');
    if (!decide(request).allowed || showsMore) return;
    const asService = decide({ ...request, caller: { kind: 'service', id: caller.id } });
    expect(asService).toMatchObject({ allowed: true, bypass: false });
  });
});

describe('anonymous', () => {
  test.prop([aRequest])('is allowed nothing but reads of public buckets', (request) => {
    const { allowed } = decide({ ...request, caller: { kind: 'anonymous' } });
    expect(allowed).toBe(request.action === 'object.read' && request.bucket?.policy === 'public');
    expect(readableRows({ kind: 'anonymous' }, request.bucket ?? bucketOf())).toBeUndefined();
  });

  test.prop([aRequest])('is asked for credentials on all but reads, whatever exists', (request) => {
    fc.pre(request.action !== 'object.read');
    const asked = refusal({ ...request, caller: { kind: 'anonymous' } });
    expect(asked?.code).toBe('MissingAuthorization');
    const there = { ...request, caller: { kind: 'anonymous' } as const };
    expect(refusal({ ...there, bucket: undefined, object: undefined })).toEqual(asked);
  });
});

describe('what a caller may not see does not exist for them', () => {
  test.prop([onThingsThatExist])('an unseen bucket is refused like a missing one', (request) => {
    fc.pre(!seesBucket(request.caller, request.bucket));
    const found = refusal(request);
    // Own objects stay reachable; so does what is no bucket's business.
    if (found === undefined) return;
    expect(found).toEqual(refusal({ ...request, bucket: undefined, object: undefined }));
  });

  const byPath = fc.constantFrom(
    'object.read' as const,
    'object.sign_download' as const,
    'object.read_history' as const,
    'object.patch' as const,
    'object.move_away' as const,
    'object.delete' as const,
    'object.revoke' as const,
  );
  test.prop([onThingsThatExist, byPath])(
    'an unreadable object is refused like a missing one',
    (request, action) => {
      const asked = { ...request, action };
      fc.pre(!decide({ ...asked, action: 'object.read' }).allowed);
      const found = refusal(asked);
      // The bucket's owner deletes, and revokes signatures for, what they may not read.
      if (!found) expect(['object.delete', 'object.revoke']).toContain(action);
      else expect(found).toEqual(refusal({ ...asked, object: undefined }));
    },
  );

  test.prop([onThingsThatExist])(
    'older bytes that are refused are refused like missing ones',
    (request) => {
      const asked = { ...request, action: 'object.read_history' as const };
      const found = refusal(asked);
      if (found) expect(found).toEqual(refusal({ ...asked, object: undefined }));
    },
  );

  test.prop([onThingsThatExist])(
    'a list does not tell a missing bucket from an unseen one',
    (r) => {
      const asked = { ...r, action: 'object.list' as const, ownsObjects: false };
      fc.pre(!seesBucket(asked.caller, asked.bucket));
      expect(refusal(asked)).toEqual(refusal({ ...asked, bucket: undefined }));
    },
  );
});

describe('ownership and openness only add', () => {
  test.prop([onThingsThatExist])('a wider bucket takes no ordinary access away', (request) => {
    const { bucket } = request;
    if (!bucket || request.caller.kind === 'service' || !decide(request).allowed) return;
    for (const policy of bucketPolicies.slice(bucketPolicies.indexOf(bucket.policy))) {
      for (const write_policy of writePolicies.slice(writePolicies.indexOf(bucket.write_policy))) {
        expect(decide({ ...request, bucket: { ...bucket, policy, write_policy } }).allowed).toBe(
          true,
        );
      }
    }
  });

  test.prop([onThingsThatExist, aUser])(
    'an owner of both may do what the owner of either may',
    (request, caller) => {
      const { bucket, object } = request;
      if (!bucket || !object || caller.kind !== 'user') return;
      const asked = { ...request, caller };
      const owned = { ...bucket, owner_id: caller.id };
      const other = { ...bucket, owner_id: 'another' };
      const own = { owner_id: caller.id };
      const either =
        decide({ ...asked, bucket: owned, object: { owner_id: 'another' } }).allowed ||
        decide({ ...asked, bucket: other, object: own }).allowed;
      if (either) expect(decide({ ...asked, bucket: owned, object: own }).allowed).toBe(true);
    },
  );

  test.prop([onThingsThatExist])(
    'what nobody owns is not owned by a caller without id',
    (request) => {
      const bucket = { ...bucketOf(), owner_id: null };
      const asked = { ...request, caller: { kind: 'service', id: null } as const };
      const decision = decide({ ...asked, bucket, object: { owner_id: null } });
      expect(['object owner', 'bucket owner']).not.toContain(decision.rule);
    },
  );

  test.prop([onThingsThatExist])(
    'the rows of a list are rows that the caller may read',
    (request) => {
      const { caller, bucket, object } = request;
      if (!bucket || !object) return;
      const shown = readableRows(caller, bucket);
      const isShown =
        shown?.rows === 'all' || (shown?.rows === 'own' && shown.ownerId === object.owner_id);
      const read = decide({ caller, action: 'object.read', bucket, object }).allowed;
      if (caller.kind !== 'anonymous') expect(isShown).toBe(read);
      else expect(isShown).toBe(false);
    },
  );
});

describe('a denial', () => {
  test.prop([aRequest])('names no bucket, owner or id', (request) => {
    const said = JSON.stringify(refusal(request) ?? {});
    for (const word of ['secret-name', 'other-name', 'boris', 'olga', 'uma', 'uid-1']) {
      expect(said).not.toContain(word);
    }
  });

  test.prop([aRequest])('has the same verdict from decide and from authorize', (request) => {
    const { decision, refusal: found } = authorize(request);
    expect(decision).toEqual(decide(request));
    if (!decision.allowed) expect(found).toBeDefined();
  });
});
