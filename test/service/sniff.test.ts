import { describe, expect, it } from 'vitest';
import { forbiddenType, peek } from '../../src/service/upload/sniff.ts';

const png = Buffer.from(
  '89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000100ffff03000006000557bfabd40000000049454e44ae426082',
  'hex',
);
const zip = Buffer.from('504b0304140000000800', 'hex');

describe('what the first bytes of a body say that it is', () => {
  const cases: [string, Buffer | string, string, string[], string | undefined][] = [
    ['a PNG where PNG is allowed', png, 'image/png', ['image/png'], undefined],
    ['a PNG where images are allowed', png, 'image/png', ['image/*'], undefined],
    ['a PNG declared as text', png, 'text/plain', ['text/*'], 'image/png'],
    ['HTML declared as an image', '<!doctype html><p>', 'image/png', ['image/*'], 'text/html'],
    [
      'HTML after a comment and a BOM',
      '\uFEFF<!-- x --> <HTML>',
      'image/png',
      ['image/*'],
      'text/html',
    ],
    ['a script', '  <script>alert(1)</script>', 'image/png', ['image/*'], 'text/html'],
    ['HTML declared as plain text', '<html>', 'text/plain', ['text/plain'], undefined],
    [
      'SVG where SVG is not allowed',
      '<?xml version="1.0"?><svg xmlns="x">',
      'image/png',
      ['image/png'],
      'image/svg+xml',
    ],
    ['SVG where images are allowed', '<svg>', 'image/svg+xml', ['image/*'], undefined],
    ['text that only begins like a tag', '<htmlish and so on', 'image/png', ['image/*'], undefined],
    ['bytes that nobody knows', 'hello', 'image/png', ['image/*'], undefined],
    [
      'text that begins with the letters of a bitmap',
      'BMW makes cars',
      'text/plain',
      ['text/*'],
      undefined,
    ],
    [
      'text that begins with the letters of a program',
      'MZ is a prefix',
      'text/csv',
      ['text/*'],
      undefined,
    ],
    [
      'UTF-16 by its mark',
      Buffer.from('\uFEFFhello', 'utf16le'),
      'text/plain',
      ['text/*'],
      undefined,
    ],
    ['a PDF that is all text', '%PDF-1.7\n1 0 obj', 'text/plain', ['text/*'], 'application/pdf'],
    [
      'a bitmap declared as text',
      Buffer.from('424d3600000000000000360000002800', 'hex'),
      'text/plain',
      ['text/*'],
      'image/bmp',
    ],
    ['nothing', '', 'image/png', ['image/*'], undefined],
    [
      'a zip declared as a document',
      zip,
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
      ['application/vnd.openxmlformats-officedocument.wordprocessingml.document'],
      undefined,
    ],
    ['a zip declared as an image', zip, 'image/png', ['image/*'], 'application/zip'],
  ];
  it.each(cases)('%s', async (_name, body, declared, allowed, seen) => {
    expect(await forbiddenType(Buffer.from(body), declared, allowed)).toBe(seen);
  });
});

describe('peek', () => {
  async function* chunks(count: number, sizeBytes: number) {
    // One buffer for all chunks, as a producer may do.
    const chunk = Buffer.alloc(sizeBytes);
    for (let index = 0; index < count; index += 1) {
      chunk.fill(index);
      yield chunk;
    }
  }

  it.each([
    [0, 1],
    [1, 10],
    [3, 2000],
    [10, 1000],
    [2, 10_000],
  ])('puts back what it read: %i chunks of %i bytes', async (count, sizeBytes) => {
    const { head, whole } = await peek(chunks(count, sizeBytes), Infinity);
    const expected = Buffer.concat(
      Array.from({ length: count }, (_, index) => Buffer.alloc(sizeBytes, index)),
    );
    expect(Buffer.from(head).equals(expected.subarray(0, head.byteLength))).toBe(true);
    expect(head.byteLength).toBe(Math.min(4100, expected.byteLength));
    const read: Buffer[] = [];
    for await (const chunk of whole) read.push(Buffer.from(chunk));
    expect(Buffer.concat(read).equals(expected)).toBe(true);
  });

  it('cancels the stream that it was given', async () => {
    let ended = false;
    async function* endless() {
      try {
        for (;;) yield Buffer.alloc(5000);
      } finally {
        ended = true;
      }
    }
    const { cancel } = await peek(endless(), Infinity);
    await cancel();
    expect(ended).toBe(true);
  });

  it('waits for no more of a body that is too long already', async () => {
    async function* stalling() {
      yield Buffer.from('12345');
      yield Buffer.from('6');
      await new Promise(() => undefined);
    }
    const { head } = await peek(stalling(), 5);
    expect(String(head)).toBe('123456');
  });
});
