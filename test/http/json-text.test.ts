import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import type { BlobId, BucketName, ObjectId, ObjectPath, Position } from '../../src/domain/names.ts';
import type { ObjectRow } from '../../src/domain/object.ts';
import { metadataOf } from '../../src/domain/values/metadata.ts';
import { objectInfoText, objectJson, objectText } from '../../src/http/representations.ts';
import { jsonText, timeText } from '../../src/http/wire/json-text.ts';

/** Any UTF-16, lone surrogates too, and what a hasty escaper gets wrong. */
const hostile = fc.oneof(
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '__proto__',
    '"',
    '\\',
    '\u2028\u2029',
    '\ud800',
    '\udfffa',
    '\u007f',
    '</script>',
    '\0',
  ),
);
/** RFC 3339 has years of four digits. */
const time = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31, 23, 59, 59, 999) });

const metadata = fc
  .dictionary(fc.oneof(hostile, fc.constant('__proto__')), fc.jsonValue({ maxDepth: 3 }), {
    maxKeys: 4,
  })
  .map((value) => metadataOf(value))
  .map((text) => (text.ok ? text.value : null));

const row: fc.Arbitrary<ObjectRow> = fc.record({
  size: fc.nat({ max: 5 * 2 ** 30 }),
  etag: hostile,
  blob_id: hostile.map((text) => text as BlobId),
  id: hostile.map((text) => text as ObjectId),
  path: hostile.map((text) => text as ObjectPath),
  owner_id: fc.option(hostile),
  content_type: hostile,
  version: hostile,
  cache_control: fc.option(hostile),
  metadata,
  created_at: time,
  updated_at: time,
  position: fc.nat().map((position) => position as Position),
});
const bucket = hostile.map((text) => text as BucketName);

describe('JSON by hand is what JSON.stringify writes', () => {
  test.prop([fc.option(hostile)])('of a text', (text) => {
    expect(jsonText(text)).toBe(JSON.stringify(text));
  });

  test.prop([fc.array(time)])('of times, in any order', (times) => {
    for (const unixMs of times) expect(timeText(unixMs)).toBe(new Date(unixMs).toISOString());
  });

  test.prop([bucket, row])('of an object', (name, object) => {
    expect(objectText(name, object)).toBe(JSON.stringify(objectJson(name, object)));
  });

  test.prop([bucket, row])("of an object's info", (name, object) => {
    const { updated_at: last_modified, ...rest } = objectJson(name, object);
    const info = { ...rest, last_modified, name: object.path, bucket_id: name };
    expect(objectInfoText(name, object)).toBe(JSON.stringify(info));
  });

  it('of metadata with a key __proto__ and a lone surrogate', () => {
    const kept = metadataOf(JSON.parse('{"__proto__":{"a":"\\ud800"},"2":1,"1":-0}'));
    expect(kept.ok && kept.value).toBe('{"1":0,"2":1,"__proto__":{"a":"\\ud800"}}');
    const [object] = fc.sample(row, 1);
    if (!kept.ok || !object) throw new Error('there is a sample');
    const given = { ...object, metadata: kept.value };
    expect(objectText('b' as BucketName, given)).toBe(
      JSON.stringify(objectJson('b' as BucketName, given)),
    );
  });
});
