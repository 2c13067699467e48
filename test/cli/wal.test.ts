/** `wal info`, `wal dump` and `wal verify` over a small log: whole, live, cut off and damaged. */
import { appendFile, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { eventTypes } from '../../src/cli/wal/record-facts.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { runCommand } from './run-command.ts';
import {
  appendForeign,
  damage,
  openOver,
  remember,
  type SmallLog,
  segmentsOf,
  smallLog,
  startMs,
} from './small-log.ts';

const wal = (log: SmallLog, ...argv: string[]) =>
  runCommand(['wal', ...argv, '--data-dir', log.layout.directory]);

async function dumped(log: SmallLog, ...argv: string[]) {
  const { code, out, err } = await wal(log, 'dump', '--json', ...argv);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

const typesIn = (records: readonly { type: string }[]) => records.map(({ type }) => type);

describe('wal info', () => {
  test('shows segments and head as JSON', async () => {
    const log = await smallLog();
    const { code, out } = await wal(log, 'info', '--json');
    const files = await segmentsOf(log.layout);
    const sizes = await Promise.all(files.map(async (name) => stat(join(log.layout.wal, name))));
    const total = sizes.reduce((sum, { size }) => sum + size, 0);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      records: log.types.length,
      head: log.head.position,
      oldest: 1,
      chain: log.head.chain,
      size: total,
      tail: null,
      segments: [
        { file: files[0], epoch: startMs, first: 1, sealed: true },
        { file: files[1], epoch: startMs + 1000, last: log.head.position, sealed: true },
      ],
    });
  });

  test('is a table on a terminal, and cells with tabs in a pipe', async () => {
    const log = await smallLog();
    const piped = await wal(log, 'info');
    expect(piped.out.split('\n')[0]).toBe('segment\tepoch\tfirst\tlast\tbytes\tstate\tcreated');
    expect(piped.out).toContain(`\nhead\t${log.head.position}\n`);
    const argv = ['wal', 'info', '--data-dir', log.layout.directory];
    const { out } = await runCommand(argv, { isTty: true });
    expect(out).toMatch(/┌─.*┐\n│ segment +│/);
    expect(out).not.toContain('\u001b');
  });
});

describe('wal dump', () => {
  test('prints every record in order, whole, with bytes in hex', async () => {
    const log = await smallLog();
    const records = await dumped(log);
    expect(typesIn(records)).toEqual(log.types);
    expect(new Set(log.types)).toEqual(new Set(eventTypes));
    const stored = records.find(({ type }) => type === 'object.stored');
    expect(stored).toMatchObject({
      epoch: startMs + 1000,
      time: '2026-01-31T12:00:01.000Z',
      actor: { sub: 'alice', role: 'user', request_id: 'req-1' },
      idempotency: { key: 'key-1' },
      event: {
        type: 'object.stored',
        bucket: { name: 'photos', policy: 'private' },
        object: {
          path: 'été/写真 🎈.png',
          crcs: '01020304fcfdfeff',
          metadata: '{"__proto__":1,"lone":"\\ud800"}',
        },
        token: { jti: 'jti-1' },
      },
    });
    expect(records.at(-1)).toMatchObject({ position: log.head.position, event: { position: 5 } });
  });

  test('is a line of cells for each record in a pipe', async () => {
    const log = await smallLog();
    const { out } = await wal(log, 'dump', '--type', 'object.moved');
    const cells = out.trimEnd().split('\t');
    const { position } = (await dumped(log, '--type', 'object.moved'))[0];
    expect(cells).toEqual([
      String(position),
      '2026-01-31T12:00:01.000Z',
      ...['object.moved', 'photos', 'été/写真 🎈.png', 'alice', 'alice'],
      'moved from photos/from.png',
    ]);
  });

  test('keeps a range of positions or times, both ends included', async () => {
    const log = await smallLog();
    const all = await dumped(log);
    const between = await dumped(log, '--from', '3', '--to', '9');
    expect(between).toEqual(all.filter(({ position }) => position >= 3 && position <= 9));
    expect(between).toHaveLength(7);
    const late = await dumped(log, '--from', '2026-01-31T12:00:01Z');
    expect(late).toEqual(all.filter(({ epoch }) => epoch > startMs));
    expect(await dumped(log, '--to', '2026-01-31T13:00:00.999+01:00')).toEqual(
      all.filter(({ epoch }) => epoch === startMs),
    );
    expect(await dumped(log, '--from', String(log.head.position))).toEqual(all.slice(-1));
    expect(await dumped(log, '--from', '1000')).toEqual([]);
  });

  test('filters by type, bucket, path and owner, and takes no more than --limit', async () => {
    const log = await smallLog();
    const some = await dumped(log, '--type', 'object.deleted,store.opened');
    expect(typesIn(some)).toEqual([
      'store.opened',
      'store.opened',
      'store.opened',
      'object.deleted',
    ]);
    expect(typesIn(await dumped(log, '--path', 'from.png'))).toEqual(['object.moved']);
    expect(typesIn(await dumped(log, '--path', 'source.png'))).toEqual(['object.stored']);
    const inBucket = typesIn(await dumped(log, '--bucket', 'photos'));
    expect(inBucket).toEqual(log.types.filter((type) => /^(bucket|object)\./.test(type)));
    const uid = '0198c0de-0000-7000-8000-000000000001';
    const byUid = typesIn(await dumped(log, '--bucket', uid));
    expect(byUid).toEqual(log.types.filter((type) => /^(bucket|object|token)\./.test(type)));
    const owned = typesIn(await dumped(log, '--owner', 'alice'));
    expect(owned).toContain('consumer.defined');
    expect(owned).not.toContain('object.deleted');
    expect(await dumped(log, '--bucket', 'photo')).toEqual([]);
    const both = await dumped(log, '--bucket', 'photos', '--owner', 'alice', '--limit', '2');
    expect(typesIn(both)).toEqual(['bucket.created', 'bucket.updated']);
  });

  test.each([
    ['--from', 'yesterday'],
    ['--to', '-1'],
    ['--type', 'object.stord'],
    ['--limit', '0'],
  ])('%s %s is used wrongly', async (...wrong) => {
    const { code, out, err } = await wal(await smallLog(), 'dump', ...wrong);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(wrong[0]);
  });

  test('shows a record that it can not decode in hex, and exits with 1', async () => {
    const log = await smallLog();
    await appendForeign(log.layout, Buffer.from('no record'));
    const { code, out } = await wal(log, 'dump', '--json', '--type', 'object.moved');
    expect(code).toBe(1);
    const last = JSON.parse(out.trimEnd().split('\n').at(-1) ?? '');
    expect(last).toMatchObject({ position: log.head.position + 1, bytes: '6e6f207265636f7264' });
    expect(last.unreadable).toContain("can't be read");
    expect((await wal(log, 'dump')).out).toContain('\tUNREADABLE\t');
  });

  test('lets nothing that a user chose steer the terminal', async () => {
    const log = await smallLog();
    const journal = await openOver(log.layout, startMs + 3000);
    const event = {
      type: 'consumer.removed',
      owner_role: 'service',
      name: 'a\u001b[31m\n\u202e',
      owner_id: null,
    } as const;
    await journal.append([{ event, actor: { sub: '\u0007', role: 'user', request_id: null } }]);
    await journal.close();
    const { out } = await wal(log, 'dump', '--from', String(log.head.position + 1));
    expect(out).toContain('\\u{7}\ta\\u{1b}[31m\\u{a}\\u{202e}\n');
    for (const steering of ['\u0007', '\u001b', '\u202e']) expect(out).not.toContain(steering);
  });
});

describe('wal verify', () => {
  test('finds a log whole, with what the control files remember', async () => {
    const log = await smallLog();
    await remember(log.layout, log.head);
    const { code, out } = await wal(log, 'verify', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual({
      ok: true,
      segments: 2,
      records: log.types.length,
      head: log.head.position,
      chain: log.head.chain,
      tail: null,
      problems: [],
    });
    expect((await wal(log, 'verify')).out).toContain('result\twhole\n');
  });

  test('names file, offset and position of damage, and exits with 1', async () => {
    const log = await smallLog();
    const [file = ''] = await segmentsOf(log.layout);
    await damage(log.layout, file, 200);
    const { code, out } = await wal(log, 'verify', '--json');
    expect(code).toBe(1);
    const { ok, problems } = JSON.parse(out);
    expect(ok).toBe(false);
    expect(problems[0]).toMatchObject({ file, offset: 128, position: 1 });
    const text = await wal(log, 'verify');
    expect(text.code).toBe(1);
    expect(text.out).toContain(`file\toffset\tposition\tproblem\n${file}\t128\t1\t`);
  });

  test.each([
    ['more than the log holds', 1000, undefined, /knows of 1000/],
    ['another chain', 3, 'f'.repeat(64), /chain value/],
  ])('finds that the control files remember %s', async (_, position, chain, reason) => {
    const log = await smallLog();
    await remember(log.layout, { position, chain: chain ?? log.head.chain });
    const { code, out } = await wal(log, 'verify', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out).problems[0].reason).toMatch(reason);
  });

  test('finds a damaged control file', async () => {
    const log = await smallLog();
    await remember(log.layout, log.head);
    await appendFile(log.layout.fenceFile, ' ');
    const { code, out } = await wal(log, 'verify', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out).problems).toMatchObject([{ file: log.layout.fenceFile }]);
  });

  test('an unfinished end is told of and is no problem', async () => {
    const log = await smallLog();
    const file = (await segmentsOf(log.layout)).at(-1) ?? '';
    const path = join(log.layout.wal, file);
    const journal = await openOver(log.layout, startMs + 4000);
    const open = (await segmentsOf(log.layout)).at(-1) ?? '';
    expect(open).not.toBe(file);
    await appendFile(join(log.layout.wal, open), Buffer.alloc(600));
    const { code, out } = await wal(log, 'verify', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out).tail).toMatchObject({ file: open, size: 600 });
    expect((await wal(log, 'info')).out).toContain('tail\t600 bytes at byte ');
    await journal.close().catch(() => undefined);
    expect((await stat(path)).size).toBeGreaterThan(0);
  });
});

describe('every wal command', () => {
  const commands = ['info', 'dump', 'verify'];

  test.each(commands)('%s works beside the writer of the log and changes nothing', async (name) => {
    const log = await smallLog();
    const journal = await openOver(log.layout, startMs + 5000);
    const before = await segmentsOf(log.layout);
    const { code, err } = await wal(log, name);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(await segmentsOf(log.layout)).toEqual(before);
    await journal.close();
    expect((await wal(log, 'verify')).code).toBe(0);
  });

  test.each(commands)('%s takes the directory of the configuration', async (name) => {
    const log = await smallLog();
    const env = { AEROSTORE_DATA_DIR: log.layout.directory };
    expect(await runCommand(['wal', name], { env })).toMatchObject({ code: 0 });
  });

  test.each(commands)('%s needs no valid configuration beside --data-dir', async (name) => {
    const log = await smallLog();
    const argv = ['wal', name, '--data-dir', log.layout.directory];
    expect(await runCommand(argv, { env: { AEROSTORE_PORT: 'x' } })).toMatchObject({ code: 0 });
  });

  test.each(commands)('%s says that a directory is missing or holds no log', async (name) => {
    const directory = await temporaryDirectory();
    const empty = await runCommand(['wal', name, '--data-dir', directory]);
    expect(empty).toMatchObject({ code: 2, out: '' });
    expect(empty.err).toContain(`${directory} holds no log: `);
    const path = join(directory, 'missing');
    const missing = await runCommand(['wal', name, '--data-dir', path]);
    expect(missing).toMatchObject({ code: 2, out: '' });
    expect(missing.err).toContain(`There is no ${path}: `);
    await writeFile(path, '');
    expect(await runCommand(['wal', name, '--data-dir', path])).toMatchObject({ code: 2 });
  });

  test.each(commands)('%s takes a log without segments for an empty one', async (name) => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'wal'));
    expect(await runCommand(['wal', name, '--data-dir', directory])).toMatchObject({ code: 0 });
  });

  test.each(['info', 'dump'])('%s names damage in one paragraph, without a stack', async (name) => {
    const log = await smallLog();
    const [first = ''] = await segmentsOf(log.layout);
    await rm(join(log.layout.wal, first));
    await writeFile(join(log.layout.wal, first), Buffer.alloc(300));
    const { code, err } = await wal(log, name);
    expect(code).toBe(1);
    expect(err).toMatch(/^error: log corrupt: \d{20}\.wal at byte 0, .*wal verify.*\n$/);
  });
});
