/** Requests that make, use and revoke signed URLs. */
import type { BucketName, ObjectPath } from '../../../../src/domain/names.ts';
import { ok, type Result } from '../../../../src/domain/result.ts';
import type { TokenClaims } from '../../../../src/domain/signed-urls/token.ts';
import { Refused } from '../../../../src/service/service.ts';
import type { Presented, Revoking } from '../../../../src/service/signed-urls/signed-urls.ts';
import { key } from '../../../support/rig.ts';
import { contents } from '../contents.ts';
import type { Asked, Operation } from '../operations.ts';
import { type Made, renderObject, type Who } from '../world.ts';
import { type Answer, type Clients, callFor, refused } from './perform.ts';
import { bytesOf, objectOf, renderRead, send } from './requests.ts';

type Of<Kind> = Extract<Operation, { kind: Kind }>;
type SignedKind = 'sign' | 'look' | 'spend' | 'peek' | 'putSigned' | 'revokeToken' | 'revokeAll';
type AskedOf<Kind> = Asked & { readonly operation: Of<Kind> };

export function askSigned(clients: Clients, asked: AskedOf<SignedKind>): Promise<Answer> {
  const { operation } = asked;
  switch (operation.kind) {
    case 'sign':
      return sign(clients, { ...asked, operation });
    case 'look':
      return look(clients, { ...asked, operation });
    case 'spend':
      return spend(clients, { ...asked, operation });
    case 'peek':
      return peek(clients, { ...asked, operation });
    case 'putSigned':
      return putSigned(clients, { ...asked, operation });
    case 'revokeToken':
      return revoke(clients, asked, {
        who: operation.who,
        revoking: { token: clients.names.held(operation.token)?.token ?? '' },
      });
    case 'revokeAll': {
      const { who, bucket, path, before } = operation;
      const issuedBefore =
        before === null ? undefined : clients.names.held(before)?.claims.issued_at;
      const place = { bucket: bucket as BucketName, path: path as ObjectPath | null };
      return revoke(clients, asked, { who, revoking: { ...place, issuedBefore } });
    }
    default:
      return operation satisfies never;
  }
}

async function sign({ rig, names }: Clients, asked: AskedOf<'sign'>): Promise<Answer> {
  const { signedUrls } = rig.store.service;
  const { operation } = asked;
  const { who, bucket, path, once, upsert, maxBytes } = operation;
  const version = operation.version === null ? null : names.versions.givenOf(operation.version);
  const call = callFor(who, asked);
  const signed =
    operation.operation === 'download'
      ? await signedUrls.signDownload(call, key(bucket, path), { once, version })
      : await signedUrls.signUpload(call, key(bucket, path), {
          once,
          upsert,
          contentType: null,
          maxBytes,
        });
  if (!signed.ok) return refused(signed.rejection);
  return { told: { code: 'ok' }, signed: signed.value };
}

/** The first half of a use, which opens nothing where the token is for one use. */
async function look(clients: Clients, { operation, id }: AskedOf<'look'>): Promise<Answer> {
  const { rig, names } = clients;
  const presented = await present(clients, operation.token, { requestId: id });
  if (!presented.ok) return refused(presented.rejection);
  const { claims } = presented.value;
  const found = await rig.store.service.signedUrls.read(presented.value);
  if (!found.ok) return refused(found.rejection);
  const { object } = found.value;
  names.see(claims, object.version);
  if (!claims.once) return { told: { code: 'ok', seen: await renderRead(found.value) } };
  names.looks.set(id, found.value);
  return { told: { code: 'ok', seen: renderObject(objectOf(object)) } };
}

/** The second half: opens what the first half found. */
async function spend({ names }: Clients, { operation }: AskedOf<'spend'>): Promise<Answer> {
  const looked = names.looks.get(operation.look);
  if (!looked) throw new Error('nobody looked before');
  try {
    return { told: { code: 'ok', seen: String(await bytesOf(looked.open)) } };
  } catch (fault) {
    if (fault instanceof Refused) return refused(fault.rejection);
    throw fault;
  }
}

async function peek(clients: Clients, { operation, id }: AskedOf<'peek'>): Promise<Answer> {
  const presented = await present(clients, operation.token, { requestId: id });
  if (!presented.ok) return refused(presented.rejection);
  const { signedUrls } = clients.rig.store.service;
  const use = presented.value.claims.operation === 'download' ? 'read' : 'upload';
  const allowed = await signedUrls[use](presented.value);
  return allowed.ok ? { told: { code: 'ok' } } : refused(allowed.rejection);
}

async function putSigned(clients: Clients, asked: AskedOf<'putSigned'>): Promise<Answer> {
  const { objects, signedUrls } = clients.rig.store.service;
  const { operation, id: requestId, key: word } = asked;
  const { content, cache: _cache, metadata: _metadata, ...doors } = operation;
  const issuer = issuerOf(clients.names.held(operation.token)?.claims);
  const { idempotency } = callFor(issuer, asked, doors);
  const presented = await present(clients, operation.token, {
    requestId,
    ...(word === null ? {} : { idempotency }),
  });
  if (!presented.ok) return refused(presented.rejection);
  const signed = await signedUrls.upload(presented.value);
  if (!signed.ok) return refused(signed.rejection);
  const { grant } = signed.value;
  const call = idempotency ? { ...signed.value.call, idempotency } : signed.value.call;
  const at = presented.value.key;
  const admission = await objects.admit(call, {
    ...at,
    contentType: operation.type,
    sizeBytes: contents[content]?.bytes.length,
    conditions: { overwrite: grant.claims.upsert },
    grant,
  });
  if (!admission.ok) return lost(refused(admission.rejection));
  return lost(await send(clients, { asked, at, call, admission: admission.value }, operation));
}

/**
 * An issuer's lost right is told by the token or by the policy, whichever is asked first. The model
 * knows one moment, in which it is the token.
 */
function lost(answer: Answer): Answer {
  const { code } = answer.told;
  return code === 'AccessDenied' || code === 'NoSuchBucket' ? refused(spoilt) : answer;
}

const spoilt = { code: 'InvalidSignature' } as const;

async function revoke(
  { rig }: Clients,
  asked: Asked,
  { who, revoking }: { readonly who: Who; readonly revoking: Revoking },
): Promise<Answer> {
  const revoked = await rig.store.service.signedUrls.revoke(callFor(who, asked), revoking);
  if (!revoked.ok) return refused(revoked.rejection);
  return { told: { code: 'ok' }, position: revoked.value.position };
}

/** The token held up for its own path. */
async function present(
  { rig, names }: Clients,
  made: Made,
  request: Pick<Presented, 'requestId' | 'idempotency'>,
): Promise<Result<Presented>> {
  const held = names.held(made);
  const claims = await rig.store.service.signedUrls.verify(held?.token ?? '');
  if (!claims.ok) return claims;
  const { bucket, path } = claims.value;
  return ok({ claims: claims.value, key: key(bucket, path), ...request });
}

export function issuerOf(claims: TokenClaims | undefined): Who {
  return claims?.issuer.kind === 'user' ? (claims.issuer.id as Who) : 'service';
}
