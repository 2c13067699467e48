/** The normative page says what the code does: its tables, and its example byte by byte. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { inspectLog, MAIN, openLog, readLog, verifyLog } from '#wal';
import {
  FRAME_HEADER_BYTES,
  FRAME_MAGIC,
  frameField,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  segmentField,
} from '../../wal/format.ts';
import { DIRECTORY, emptyDisk, FIRST, text } from './support/logs.ts';

const page = await readFile(new URL('../../wal/README.md', import.meta.url), 'utf8');

interface Field {
  readonly offset: number;
  readonly size: number;
  readonly name: string;
}

/** The field tables of the page: of the segment header and of the frame header. */
const [segmentTable = [], frameTable = []] = page
  .split('| offset | size | field | content |')
  .slice(1)
  .map((rest) => fieldsOf(rest.split('\n\n')[0] ?? ''));

const example = Buffer.from(
  [...page.matchAll(/^[0-9a-f]{4} {2}((?:[0-9a-f]{2} ?)+)$/gm)]
    .map(([, bytes = '']) => bytes.replaceAll(' ', ''))
    .join(''),
  'hex',
);

function fieldsOf(table: string): Field[] {
  return [...table.matchAll(/^\| (\d+) \| (\d+) \| (\w+) \|/gm)].map(
    ([, offset, size, name = '']) => {
      return { offset: Number(offset), size: Number(size), name };
    },
  );
}

describe('wal/README.md', () => {
  it('lists the fields where the code has them, without a gap', () => {
    const tables = [
      { table: segmentTable, fields: segmentField, size: SEGMENT_HEADER_BYTES },
      { table: frameTable, fields: frameField, size: FRAME_HEADER_BYTES },
    ];
    for (const { table, fields, size } of tables) {
      expect(Object.fromEntries(table.map(({ name, offset }) => [name, offset]))).toEqual(fields);
      let end = 0;
      for (const field of table) {
        expect(field.offset).toBe(end);
        end += field.size;
      }
      expect(end).toBe(size);
    }
    expect(page).toContain(`\`${FRAME_MAGIC.toString('hex').match(/../g)?.join(' ')}\``);
    expect(page).toContain(`\`${SEGMENT_MAGIC.toString('hex').match(/../g)?.join(' ')}\``);
  });

  it('shows an example that the rules of the page alone decode', () => {
    const field = (table: Field[], name: string, at: number) => {
      const { offset, size } = table.find((one) => one.name === name) ?? { offset: 0, size: 0 };
      const bytes = example.subarray(at + offset, at + offset + size);
      return size > 8 ? bytes : Number(bytes.readUIntLE(0, Math.min(size, 6)));
    };
    const logId = field(segmentTable, 'logId', 0) as Buffer;
    expect(field(segmentTable, 'crc', 0)).toBe(crc32(example.subarray(0, 124)));
    expect(field(segmentTable, 'epoch', 0)).toBe(1_700_000_000_000);
    const genesis = createHash('sha256').update(logId).digest();
    expect(field(segmentTable, 'previousChain', 0)).toEqual(genesis);
    const seed = crc32(Buffer.concat([logId, example.subarray(40, 48)]));
    const bodyBytes = field(frameTable, 'bodyBytes', 128) as number;
    const body = example.subarray(128 + 48, 128 + 48 + bodyBytes);
    expect(field(frameTable, 'bodyCrc', 128)).toBe(crc32(body, seed));
    expect(field(frameTable, 'headerCrc', 128)).toBe(crc32(example.subarray(128, 172), seed));
    expect(body.subarray(4, 7).toString()).toBe('one');
    expect(body.subarray(11, 15).toString()).toBe('two!');
    const chain = createHash('sha256')
      .update(genesis)
      .update(example.subarray(132, 134))
      .update(example.subarray(140, 152))
      .update(example.subarray(160, 168))
      .update(body.subarray(0, 15))
      .digest();
    expect(body.subarray(15, 47)).toEqual(chain);
    expect(body[47]).toBe(0x5a);
    const trailer = 128 + 48 + bodyBytes;
    expect(field(frameTable, 'type', trailer)).toBe(2);
    expect(field(frameTable, 'durable', trailer)).toBe(2);
    expect(example.subarray(trailer + 48)).toEqual(chain);
  });

  it('shows an example that the code writes and reads', async () => {
    const disk = emptyDisk();
    const { log } = await openLog({
      files: disk.files,
      directory: DIRECTORY,
      now: () => 1_700_000_000_000,
      random: (bytes) => Buffer.from(Array.from({ length: bytes }, (_, index) => 0xa0 + index)),
    });
    await log.append(MAIN, [text('one'), text('two!')]);
    await log.close();
    expect(disk.content(FIRST).toString('hex')).toBe(example.toString('hex'));
    disk.put(FIRST, example);
    expect(await verifyLog(disk.files, DIRECTORY)).toMatchObject({ ok: true, records: 2 });
    expect((await inspectLog(disk.files, DIRECTORY)).segments[0]?.sealed).toBe(true);
    for await (const frame of readLog(disk.files, DIRECTORY)) {
      expect(frame.records.map((record) => Buffer.from(record).toString())).toEqual([
        'one',
        'two!',
      ]);
    }
  });
});
