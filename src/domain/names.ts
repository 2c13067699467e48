/**
 * The names of things, parsed once at a door and trusted below. A name that is not valid is refused,
 * never mended.
 */
import { type Rejection, rejection } from './rejection.ts';
import { ok, type Result, refuse } from './result.ts';

export type BucketName = string & { readonly brand: 'BucketName' };
/** 1–1,024 bytes of UTF-8 without control characters; relative, no `.` or `..` segment. */
export type ObjectPath = string & { readonly brand: 'ObjectPath' };
/** A bucket's identity for life: a bucket deleted and created again under one name has another. */
export type BucketUid = string & { readonly brand: 'BucketUid' };
export type ObjectId = string & { readonly brand: 'ObjectId' };
/** 32 hex digits, never reused, never derived from a user's name. */
export type BlobId = string & { readonly brand: 'BlobId' };
/** A record's place in the log; 0 is before the first. Opaque and growing above wal/. */
export type Position = number & { readonly brand: 'Position' };
/** The rows of a bucket live under a keyspace: the position of the record that opened it. */
export type KeyspaceId = Position;

const bucketNamePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Words that stand where a bucket's name stands in a route. */
export const reservedBucketNames: ReadonlySet<string> = new Set([
  'sign',
  'revoke',
  'restore',
  'list',
  'list-v2',
  'copy',
  'move',
  'info',
  'public',
  'authenticated',
  'upload',
  'render',
  's3',
]);

export const maxObjectPathBytes = 1024;

export function parseBucketName(text: string): Result<BucketName> {
  if (!bucketNamePattern.test(text)) {
    return refuse(
      rejection('InvalidBucketName', 'The bucket name is not valid', {
        hint: 'Use 1 to 100 letters, digits, ".", "_" or "-", beginning with a letter or a digit.',
      }),
    );
  }
  if (reservedBucketNames.has(text)) {
    return refuse(
      rejection('InvalidBucketName', `"${text}" is a reserved word`, {
        hint: 'Choose another name: this word is a part of the API.',
      }),
    );
  }
  return ok(text as BucketName);
}

export function parseObjectPath(text: string): Result<ObjectPath> {
  const fault = faultOfPath(text);
  return fault === undefined ? ok(text as ObjectPath) : refuse(fault);
}

function faultOfPath(text: string): Rejection | undefined {
  if (text === '') return invalidKey('The object path is empty');
  if (!text.isWellFormed()) return invalidKey('The object path is not well-formed Unicode');
  if (utf8Bytes(text) > maxObjectPathBytes) {
    return invalidKey(`The object path is longer than ${maxObjectPathBytes} bytes`);
  }
  // C0, DEL and C1: what a terminal, a log or a header would act upon.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  if (/[\u0000-\u001f\u007f-\u009f]/.test(text)) {
    return invalidKey('The object path contains a control character');
  }
  if (text.startsWith('/')) return invalidKey('The object path begins with "/"');
  if (text.split('/').some((segment) => segment === '.' || segment === '..')) {
    return invalidKey('The object path contains a "." or ".." segment');
  }
  return undefined;
}

function invalidKey(message: string): Rejection {
  return rejection('InvalidKey', message, {
    hint: 'Use 1 to 1,024 bytes of UTF-8, no control characters, no leading "/", no "." or ".." segment.',
  });
}

/** The length of `text` in UTF-8, bytes. A lone surrogate counts as three. */
export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(index + 1))) {
      bytes += 4;
      index += 1;
    } else bytes += 3;
  }
  return bytes;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit < 0xe000;
}
