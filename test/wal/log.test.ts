import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { nodeFiles } from '#files';
import { openLog, openMemoryLog } from '#wal';
import { logContract } from './log.contract.ts';
import { DIRECTORY, emptyDisk, knownBytes } from './support/logs.ts';

const home = await mkdtemp(join(tmpdir(), 'aerostore-wal-'));
afterAll(() => rm(home, { recursive: true, force: true }));

let count = 0;

logContract('on disk', async (options) => {
  const directory = join(home, String(count++));
  const { log } = await openLog({ files: nodeFiles, directory, random: randomBytes, ...options });
  return log;
});

logContract('on a disk in memory', async (options) => {
  const random = (bytes: number) => knownBytes('a log', bytes);
  const { files } = emptyDisk();
  const { log } = await openLog({ files, directory: DIRECTORY, random, ...options });
  return log;
});

logContract('in memory', async (options) => openMemoryLog({ random: randomBytes, ...options }));
