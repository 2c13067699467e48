/**
 * The model of signed URLs. A use is decided as if the issuer asked; what was used up or revoked
 * stays so, and a bucket that was made again is another.
 */
import { sizeOf } from '../contents.ts';
import type { Asked, Operation } from '../operations.ts';
import { type Made, type Revocation, renderObject, type Token, type World } from '../world.ts';
import { refuseAdd, refuseChange, refuseOwner, refuseRead } from './access.ts';
import { stored } from './objects.ts';
import type { Step, Words } from './words.ts';

type Of<Kind> = Extract<Operation, { kind: Kind }>;
type SignedKind = 'sign' | 'look' | 'spend' | 'peek' | 'putSigned' | 'revokeToken' | 'revokeAll';
type AskedOf<Kind> = Asked & { readonly operation: Of<Kind> };

export function stepSigned(world: World, asked: AskedOf<SignedKind>, words: Words): Step {
  const { operation } = asked;
  switch (operation.kind) {
    case 'sign':
      return signed(world, { ...asked, operation }, words);
    case 'look': {
      const refusal = refuseToken(world, operation.token, { operation: 'download' });
      const token = world.tokens.get(operation.token);
      const object = token && objectOf(world, token);
      return refusal || !object ? words.refuse(refusal ?? '') : words.show(renderObject(object));
    }
    case 'spend': {
      const refusal = refuseToken(world, operation.token, { operation: 'download' });
      if (refusal) return words.refuse(refusal);
      return words.becomes(spent(world, operation.token), String(operation.content));
    }
    case 'peek': {
      const kind = world.tokens.get(operation.token)?.operation ?? 'download';
      const refusal = refuseToken(world, operation.token, { operation: kind });
      return refusal ? words.refuse(refusal) : words.show();
    }
    case 'putSigned':
      return uploaded(world, { ...asked, operation }, words);
    case 'revokeToken':
      return tokenRevoked(world, operation, words);
    case 'revokeAll':
      return allRevoked(world, operation, words);
    default:
      return operation satisfies never;
  }
}

/** Why the token can't be used, or undefined. */
export function refuseToken(
  world: World,
  made: Made,
  use: { readonly operation: Token['operation']; readonly evenUsed?: boolean },
): string | undefined {
  const token = world.tokens.get(made);
  if (!token || token.operation !== use.operation) return 'InvalidSignature';
  const bucket = world.buckets.get(token.bucket);
  if (bucket?.made !== token.bucketMade) return 'InvalidSignature';
  if (world.revocations.some((one) => reaches(one, made, token))) return 'InvalidSignature';
  if (token.once && world.used.has(made) && !use.evenUsed) return 'InvalidSignature';
  if (token.operation === 'upload') {
    return refuseAdd(bucket, token.path, token.issuer) ? 'InvalidSignature' : undefined;
  }
  const object = bucket.objects.get(token.path);
  const refusal = refuseRead(bucket, token.path, token.issuer);
  if (refusal) return refusal === 'NoSuchKey' && !object ? refusal : 'InvalidSignature';
  const isOther = token.version !== null && object?.version !== token.version;
  return isOther ? 'InvalidSignature' : undefined;
}

function signed(world: World, { id, operation, issuedAt }: AskedOf<'sign'>, words: Words): Step {
  const { who, bucket: name, path, once, maxBytes, version, upsert } = operation;
  const bucket = world.buckets.get(name);
  const refuse = operation.operation === 'download' ? refuseRead : refuseAdd;
  const refusal = refuse(bucket, path, who);
  if (refusal || !bucket) return words.refuse(refusal ?? '');
  if (version !== null && bucket.objects.get(path)?.version !== version) {
    return words.refuse('InvalidRequest');
  }
  // Nobody holds one whose answer did not come.
  if (issuedAt === undefined) return words.show();
  const token: Token = {
    operation: operation.operation,
    issuer: who,
    bucket: name,
    bucketMade: bucket.made,
    path,
    issuedAt,
    once,
    version,
    upsert,
    maxBytes,
  };
  const tokens = new Map(world.tokens).set(id, token);
  return { ...words.show(), world: { ...world, tokens } };
}

function uploaded(world: World, { id, operation }: AskedOf<'putSigned'>, words: Words): Step {
  const { token: made, content } = operation;
  const token = world.tokens.get(made);
  const refusal = refuseToken(world, made, { operation: 'upload' });
  if (refusal || !token) return words.refuse(refusal ?? '');
  const { bucket, path, issuer, upsert, maxBytes } = token;
  const condition = upsert ? 'none' : 'no-overwrite';
  const storing = { ...operation, id, at: { bucket, path }, condition } as const;
  const done = stored(world, storing, words, issuer);
  if (done.told.code !== 'ok') return done;
  if (sizeOf(content) > (maxBytes ?? Number.POSITIVE_INFINITY)) {
    return words.refuse('EntityTooLarge');
  }
  return token.once ? { ...done, world: spent(done.world, made) } : done;
}

function tokenRevoked(world: World, { who, token: made }: Of<'revokeToken'>, words: Words): Step {
  const token = world.tokens.get(made);
  if (!token) return words.refuse('InvalidSignature');
  const named = world.buckets.get(token.bucket);
  const bucket = named?.made === token.bucketMade ? named : undefined;
  // What an upload was signed for and is not there counts as its issuer's.
  const issuers = token.operation === 'upload' ? { owner: issuerId(token) } : undefined;
  const object = bucket?.objects.get(token.path) ?? issuers;
  const refusal = refuseRevoking(bucket, object, who);
  if (refusal) return words.refuse(refusal);
  if (world.revocations.some((one) => reaches(one, made, token))) return words.show();
  return words.becomes({ ...world, revocations: [...world.revocations, { token: made }] });
}

function allRevoked(world: World, operation: Of<'revokeAll'>, words: Words): Step {
  const { who, path, before } = operation;
  const bucket = world.buckets.get(operation.bucket);
  const refusal =
    path === null
      ? refuseOwner(bucket, who)
      : refuseRevoking(bucket, bucket?.objects.get(path), who);
  if (refusal || !bucket) return words.refuse(refusal ?? '');
  const asked = before === null ? undefined : world.tokens.get(before)?.issuedAt;
  const until = asked ?? lastIssued(world, Number.POSITIVE_INFINITY);
  const { made: bucketMade } = bucket;
  const done = world.revocations.some((one) => {
    if ('token' in one || one.bucketMade !== bucketMade) return false;
    return (one.path === null || one.path === path) && one.until >= until;
  });
  // Up to now is always later than up to any earlier moment.
  if (done && asked !== undefined) return words.show();
  const revocations = [...world.revocations, { bucketMade, path, until }];
  return words.becomes({ ...world, revocations });
}

/** Its owner, the bucket's owner and the service role may, the last two where there is nothing, too. */
function refuseRevoking(
  bucket: Parameters<typeof refuseChange>[0],
  object: Parameters<typeof refuseChange>[1],
  who: Of<'revokeAll'>['who'],
): string | undefined {
  if (bucket && !object && refuseOwner(bucket, who) === undefined) return undefined;
  return refuseChange(bucket, object, { who, byBucketOwner: true });
}

/** When the last known token up to a moment was issued. */
export function lastIssued({ tokens }: Pick<World, 'tokens'>, upTo: number): number {
  const times = [...tokens.values()].map(({ issuedAt }) => issuedAt);
  return Math.max(0, ...times.filter((time) => time <= upTo));
}

function reaches(revocation: Revocation, made: Made, token: Token): boolean {
  if ('token' in revocation) return revocation.token === made;
  const { bucketMade, path, until } = revocation;
  if (bucketMade !== token.bucketMade || token.issuedAt > until) return false;
  return path === null || path === token.path;
}

function spent(world: World, made: Made): World {
  return { ...world, used: new Set(world.used).add(made) };
}

function objectOf({ buckets }: World, { bucket, path }: Token) {
  return buckets.get(bucket)?.objects.get(path);
}

function issuerId({ issuer }: Token): string | null {
  return issuer === 'service' ? null : issuer;
}
