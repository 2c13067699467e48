/**
 * The reference model: one operation at a time, in plain maps, written from docs/access-model.md and
 * docs/api.md and not from the code.
 */
import { type Asked, type Operation, requestOf } from '../operations.ts';
import type { Who, World } from '../world.ts';
import { stepBucket } from './buckets.ts';
import { stepObject } from './objects.ts';
import { refuseToken, stepSigned } from './signed.ts';
import { type Step, wordsOf } from './words.ts';

export function step(world: World, asked: Asked): Step {
  const { operation, key, id } = asked;
  const who = askerOf(world, operation);
  if (key === null || who === undefined) return act(world, asked);
  const name = `${who} ${key}`;
  const remembered = world.memory.get(name);
  const request = requestOf(operation);
  if (remembered) {
    const { refuse, show } = wordsOf(world);
    // A repeat by a signed URL is refused for whatever the URL is, but for the use that it made.
    const refusal =
      operation.kind === 'putSigned' &&
      refuseToken(world, operation.token, { operation: 'upload', evenUsed: true });
    if (refusal) return refuse(refusal);
    const { told } = remembered;
    return remembered.request === request ? { ...show(), told } : refuse('IdempotencyConflict');
  }
  const done = act(world, asked);
  if (done.told.code !== 'ok') return done;
  const memory = new Map(done.world.memory).set(name, { request, by: id, told: done.told });
  return { ...done, world: { ...done.world, memory }, recorded: true };
}

/** Whose keys they are; of an upload by a signed URL they are its issuer's. */
function askerOf({ tokens }: World, operation: Operation): Who | undefined {
  return 'who' in operation ? operation.who : tokens.get(operation.token)?.issuer;
}

function act(world: World, asked: Asked): Step {
  const { operation } = asked;
  const words = wordsOf(world);
  if ('who' in operation && operation.who === 'nobody' && operation.kind !== 'read') {
    return words.refuse('MissingAuthorization');
  }
  switch (operation.kind) {
    case 'create':
    case 'update':
    case 'empty':
    case 'drop':
      return stepBucket(world, { ...asked, operation }, words);
    case 'put':
    case 'remove':
    case 'removeMany':
    case 'copy':
    case 'move':
    case 'patch':
    case 'read':
    case 'list':
      return stepObject(world, { ...asked, operation }, words);
    case 'sign':
    case 'look':
    case 'spend':
    case 'peek':
    case 'putSigned':
    case 'revokeToken':
    case 'revokeAll':
      return stepSigned(world, { ...asked, operation }, words);
    default:
      return operation satisfies never;
  }
}
