/** API.md "Errors": what every refusal looks like. */
import { expect } from 'vitest';
import type { Reply } from './client.ts';

const duplicate = { error: 'Duplicate', message: 'The resource already exists' };

/** `error` and `message` where they are fixed. */
const fixed: Readonly<Record<string, { readonly error: string; readonly message?: string }>> = {
  AccessDenied: { error: 'Unauthorized' },
  NoSuchBucket: { error: 'Bucket not found', message: 'Bucket not found' },
  NoSuchKey: { error: 'not_found', message: 'Object not found' },
  BucketAlreadyExists: duplicate,
  KeyAlreadyExists: duplicate,
  BucketNotEmpty: {
    error: 'ResourceNotEmpty',
    message: 'The bucket you tried to delete is not empty',
  },
  EntityTooLarge: {
    error: 'Payload too large',
    message: 'The object exceeded the maximum allowed size',
  },
  InvalidMimeType: { error: 'invalid_mime_type' },
};

/** `"404 NoSuchKey"`, or the status and body where there is no such problem. */
export function outcome(reply: Reply): string {
  if (reply.status < 400) return String(reply.status);
  if (reply.bytes.length === 0) return String(reply.status);
  return `${reply.status} ${String(reply.json().code)}`;
}

/** `wanted` as "404 NoSuchKey"; checks the whole shape of the answer, not only its code. */
export function expectProblem(reply: Reply, wanted: string, message?: RegExp | string): void {
  const [status = '', code = ''] = wanted.split(' ');
  const shown = `${reply.status} ${reply.text()}`;
  expect(outcome(reply), shown).toBe(wanted);
  const problem = reply.json();
  expect(problem.statusCode, shown).toBe(status);
  expect(problem.error, shown).toBe(fixed[code]?.error ?? code);
  expect(typeof problem.message, shown).toBe('string');
  const fixedMessage = fixed[code]?.message;
  if (fixedMessage !== undefined) expect(problem.message, shown).toBe(fixedMessage);
  if (message !== undefined) expect(problem.message, shown).toMatch(message);
  expect(reply.headers['content-type'], shown).toMatch(/^application\/json/);
  expect(reply.headers['x-request-id'], shown).toBeTruthy();
  // Nothing internal leaves: no stack, no place on the server's disk.
  expect(reply.text()).not.toMatch(/\bat .+:\d+:\d+|node_modules|\/staging\/|\/blobs\/|\/tmp\//);
}
