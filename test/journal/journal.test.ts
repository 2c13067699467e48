import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Files, nodeFiles } from '#files';
import type { NewRecord } from '../../src/domain/events.ts';
import type { Position } from '../../src/domain/names.ts';
import {
  type CommittedFrame,
  type Journal,
  LogBehindWitness,
  LogCorrupt,
  openJournal,
  openMemoryJournal,
} from '../../src/journal/index.ts';
import { collect } from '../support/collect.ts';

const opener = { clock: { now: () => 1_750_000_000_000 }, version: '0.1.0', nodeId: 'node-1' };
const random = (count: number) => randomBytes(count);

const actor = { sub: 'alice', role: 'user', request_id: null } as const;
const removed = (id: string): NewRecord => ({
  event: { type: 'webhook.removed', id, owner_id: null },
  actor,
});
const idsOf = (frames: readonly CommittedFrame[]) =>
  frames.flatMap(({ records }) =>
    records.map(({ event }) => (event.type === 'webhook.removed' ? event.id : event.type)),
  );

async function committed(journal: Journal, ids: readonly string[]) {
  const result = await journal.append(ids.map(removed));
  if (!result.ok) throw new Error(result.rejection.code);
  return result.value;
}

describe.each(['disk', 'memory'])('a journal on %s', (kind) => {
  let directory: string;
  let journal: Journal;

  const open = () =>
    kind === 'disk'
      ? openJournal({ ...opener, files: nodeFiles, directory, witnesses: [], random })
      : openMemoryJournal({ ...opener, random });

  beforeEach(async () => {
    directory = join(mkdtempSync(join(tmpdir(), 'aerostore-journal-')), 'wal');
    journal = await open();
  });
  afterEach(async () => {
    await journal.close();
    rmSync(join(directory, '..'), { recursive: true, force: true });
  });

  it('begins with store.opened by the system', async () => {
    const [frame] = await collect(journal.read(0 as Position));
    expect(frame?.records[0]).toMatchObject({
      event: { type: 'store.opened', version: '0.1.0', node_id: 'node-1' },
      actor: { sub: null, role: 'system' },
      position: 1,
      timeMs: 1_750_000_000_000,
      epoch: journal.epoch,
    });
  });

  it('reads what was appended, with position, time and epoch', async () => {
    const { first, last, timeMs, epoch } = await committed(journal, ['a', 'b']);
    const frames = await collect(journal.read(0 as Position));
    expect(idsOf(frames)).toEqual(['store.opened', 'a', 'b']);
    const [a, b] = frames.at(-1)?.records ?? [];
    expect(a).toEqual({ ...removed('a'), position: first, timeMs, epoch });
    expect(b?.position).toBe(last);
    expect(journal.head).toBe(last);
  });

  it('trims a frame to the records after the position asked for', async () => {
    const { first } = await committed(journal, ['a', 'b', 'c']);
    const frames = await collect(journal.read(first));
    expect(idsOf(frames)).toEqual(['b', 'c']);
    expect(frames[0]?.first).toBe(frames[0]?.records[0]?.position);
    expect(await collect(journal.read(journal.head))).toEqual([]);
  });

  it('follows what comes after', async () => {
    const stop = new AbortController();
    const seen: CommittedFrame[] = [];
    const { first } = await committed(journal, ['a']);
    const following = (async () => {
      for await (const frame of journal.follow(first, stop.signal)) {
        seen.push(frame);
        if (idsOf(seen).includes('c')) stop.abort();
      }
    })();
    await committed(journal, ['b']);
    await committed(journal, ['c']);
    await following;
    expect(idsOf(seen)).toEqual(['b', 'c']);
  });

  it('refuses with Overloaded before anything is written', async () => {
    await journal.close();
    journal = await openMemoryJournal({ ...opener, random, limits: { queueRecords: 2 } });
    const before = journal.head;
    const results = await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map((id) => journal.append([removed(id)])),
    );
    const refused = results.filter((result) => !result.ok);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.every((result) => result.rejection.code === 'Overloaded')).toBe(true);
    expect(journal.distance(before, journal.head)).toBe(5 - refused.length);
  });

  it('refuses with NotReady once it is closed', async () => {
    await journal.close();
    expect(await journal.append([removed('a')])).toMatchObject({
      ok: false,
      rejection: { code: 'NotReady' },
    });
    journal = await open();
  });
});

describe('a journal on a disk', () => {
  let directory: string;
  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), 'aerostore-journal-')), 'wal');
  });
  afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }));

  const openAt = (more: { files?: Files; witnesses?: never[] | [object] } = {}) =>
    openJournal({
      ...opener,
      files: nodeFiles,
      directory,
      witnesses: [],
      random,
      ...more,
    } as never);

  it('keeps its records and begins a new epoch when it is opened again', async () => {
    const first = await openAt();
    await committed(first, ['a']);
    const head = await first.close();
    const second = await openAt({
      witnesses: [{ name: 'clean marker', position: head.position, chain: head.chain }],
    });
    expect(idsOf(await collect(second.read(0 as Position)))).toEqual([
      'store.opened',
      'a',
      'store.opened',
    ]);
    expect(second.epoch).toBeGreaterThan(first.epoch);
    await second.close();
  });

  it('is refused where a witness knows of more, or of another history', async () => {
    const { position, chain } = await (await openAt()).close();
    const beyond = { name: 'fence', position: position + 10 };
    await expect(openAt({ witnesses: [beyond] })).rejects.toThrow(LogBehindWitness);
    const other = {
      name: 'fence',
      position,
      chain: chain.replace(/^../, (byte) => (byte === '00' ? '01' : '00')),
    };
    await expect(openAt({ witnesses: [other] })).rejects.toThrow(LogCorrupt);
  });

  it('answers OutcomeUnknown when a sync fails, and tells of it', async () => {
    let broken = false;
    const files: Files = {
      ...nodeFiles,
      async open(path, mode, permissions) {
        const file = await nodeFiles.open(path, mode, permissions);
        const dataSync = async () => {
          if (broken) throw new Error('EIO');
          return file.dataSync();
        };
        return { ...file, dataSync };
      },
    };
    const journal = await openAt({ files });
    broken = true;
    expect(await journal.append([removed('a')])).toMatchObject({
      rejection: { code: 'OutcomeUnknown' },
    });
    await journal.poisoned;
    await journal.close().catch(() => {});
  });
});
