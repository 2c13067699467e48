import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, onTestFinished, test } from 'vitest';
import { nodeFiles } from '#files';
import { HomeLocked, HomeRefused } from '../../src/home/errors.ts';
import { type Home, openHome } from '../../src/home/home.ts';
import { type Lock, LockFailed, takeLock } from '../../src/home/lock.ts';
import { systemError, tappedFiles } from '../support/tapped-files.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const holder = new URL('../support/hold-home.ts', import.meta.url).pathname;
const holderArguments = ['--import', 'tsx', '-C', 'source', holder];

const openAt = (directory: string): Promise<Home> => openHome({ files: nodeFiles, directory });

/** Starts a process that opens the home; resolves to the first line that it says. */
async function elsewhere(
  directory: string,
  prefix: readonly string[] = [],
): Promise<{ child: ChildProcess; said: string }> {
  const [command = process.execPath, ...rest] = [
    ...prefix,
    process.execPath,
    ...holderArguments,
    directory,
  ];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  });
  const [said] = await once(createInterface(child.stdout ?? process.stdin), 'line');
  return { child, said: String(said) };
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

describe('a new home', () => {
  test('is made with those above it, and found again as the same node', async () => {
    const directory = join(await temporaryDirectory(), 'a', 'b', 'data');
    const first = await openAt(directory);
    expect(first.isNew).toBe(true);
    expect(await readdir(directory)).toEqual([
      'blobs',
      'cursors',
      'keys',
      'lock',
      'node',
      'packs',
      'pid',
      'quarantine',
      'staging',
      'version',
      'views',
      'wal',
    ]);
    expect((await stat(first.layout.keys)).mode & 0o777).toBe(0o700);
    expect(JSON.parse(await readFile(first.layout.versionFile, 'utf8'))).toEqual({ format: 1 });
    await first.close();
    const second = await openAt(directory);
    expect(second).toMatchObject({ isNew: false, nodeId: first.nodeId, reserveWasSpent: false });
    await second.close();
  });

  test('is locked before anything is written but the directory and its lock folder', async () => {
    const directory = join(await temporaryDirectory(), 'data');
    const files = tappedFiles();
    let before: string[] = [];
    const lock = async (path: string): Promise<Lock> => {
      before = await readdir(directory);
      return takeLock(path);
    };
    await (await openHome({ files, directory, lock })).close();
    expect(before).toEqual(['lock']);
    const opened = files.calls.filter((call) => call.path.startsWith(join(directory, 'lock')));
    expect(
      opened.map(({ operation }) => operation),
      'nothing reads the lock',
    ).toEqual(['makeDirectory']);
  });

  test('has durable names: each folder that got one is synced', async () => {
    const top = await temporaryDirectory();
    const directory = join(top, 'a', 'data');
    const files = tappedFiles();
    await (await openHome({ files, directory })).close();
    const synced = files.calls
      .filter(({ operation }) => operation === 'syncDirectory')
      .map(({ path }) => path);
    expect(new Set(synced)).toEqual(new Set([top, join(top, 'a'), directory]));
  });

  test('gets back a folder that somebody removed, durably', async () => {
    const directory = await temporaryDirectory();
    await (await openAt(directory)).close();
    await rm(join(directory, 'views'), { recursive: true });
    const files = tappedFiles();
    await (await openHome({ files, directory })).close();
    const made = files.calls.findIndex(({ path }) => path === join(directory, 'keys'));
    expect(files.calls[made + 1]).toEqual({ operation: 'syncDirectory', path: directory });
    expect(await readdir(directory)).toContain('views');
  });

  test('may be reached by a symbolic link and hold lost+found and hidden files', async () => {
    const top = await temporaryDirectory();
    await mkdir(join(top, 'volume', 'lost+found'), { recursive: true });
    await writeFile(join(top, 'volume', '.gitkeep'), '');
    await symlink(join(top, 'volume'), join(top, 'data'));
    await (await openAt(join(top, 'data'))).close();
  });

  test('whose making was cut off is made on the next start', async () => {
    const directory = await temporaryDirectory();
    const files = tappedFiles();
    for (const failing of ['version.new', 'wal', 'node.new', 'pid.new']) {
      files.tap = ({ path }) => {
        if (path === join(directory, failing)) throw systemError('EIO');
      };
      await expect(openHome({ files, directory })).rejects.toMatchObject({ code: 'EIO' });
    }
    await (await openAt(directory)).close();
  });
});

describe('a home is refused', () => {
  test.each([
    ['another format', '{"format":2}', 'format 2'],
    ['no format at all', 'hello', "can't be understood"],
    ['an empty version file', '', "can't be understood"],
  ])('for %s, and the lock is free again', async (_, version, message) => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'version'), version);
    const opening = openAt(directory);
    await expect(opening).rejects.toThrow(HomeRefused);
    await expect(opening).rejects.toThrow(message);
    expect(await readdir(directory), 'nothing was added').toEqual(['lock', 'version']);
    await (await takeLock(join(directory, 'lock'))).release();
  });

  test('where a file lies in its place, or above it', async () => {
    const file = join(await temporaryDirectory(), 'file');
    await writeFile(file, '');
    await expect(openAt(file)).rejects.toThrow('is not a directory');
    await expect(openAt(join(file, 'data'))).rejects.toThrow('is not a directory');
  });

  test("where somebody else's files lie, which stay alone", async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'thesis.doc'), '');
    const opening = openAt(directory);
    await expect(opening).rejects.toThrow(HomeRefused);
    await expect(opening).rejects.toThrow('thesis.doc');
    expect(await readdir(directory)).toEqual(['thesis.doc']);
  });

  test.each(['EACCES', 'EROFS', 'EPERM'])('where it is not writable (%s)', async (code) => {
    const directory = await temporaryDirectory();
    const files = tappedFiles();
    for (const failing of ['makeDirectory', 'write'] as const) {
      files.tap = ({ operation }) => {
        if (operation === failing) throw systemError(code);
      };
      await expect(openHome({ files, directory })).rejects.toThrow('not writable');
    }
  });

  test.skipIf(!canMount())('where the file system is read-only', async () => {
    const directory = await temporaryDirectory();
    await (await openAt(directory)).close();
    execFileSync('mount', ['--bind', directory, directory]);
    try {
      execFileSync('mount', ['-o', 'remount,ro,bind', directory]);
      await expect(openAt(directory)).rejects.toThrow('not writable');
    } finally {
      execFileSync('umount', [directory]);
    }
  });

  test('where the node id is not one', async () => {
    const directory = await temporaryDirectory();
    await (await openAt(directory)).close();
    await writeFile(join(directory, 'node'), 'me');
    await expect(openAt(directory)).rejects.toThrow(HomeRefused);
  });
});

describe('one process has a home', () => {
  test('a second process is refused and told which one has it', async () => {
    const directory = await temporaryDirectory();
    const home = await openAt(directory);
    const { said } = await elsewhere(directory);
    expect(said).toContain('HomeLocked');
    expect(said).toContain(`process ${process.pid}`);
    expect(said).toContain('--url');
    expect((await elsewhere(directory)).said, 'a refusal must not drop the lock').toContain(
      'HomeLocked',
    );
    await home.close();
    expect((await elsewhere(directory)).said).toBe('held');
  });

  test('this process is refused a second time, and keeps the lock', async () => {
    const directory = await temporaryDirectory();
    const home = await openAt(directory);
    await expect(openAt(directory)).rejects.toThrow(HomeLocked);
    expect((await elsewhere(directory)).said).toContain('HomeLocked');
    await home.close();
  });

  test('a process that is killed leaves it free at once', async () => {
    const directory = await temporaryDirectory();
    const { child, said } = await elsewhere(directory);
    expect(said).toBe('held');
    await expect(openAt(directory)).rejects.toThrow(`process ${child.pid}`);
    await kill(child, 'SIGKILL');
    const home = await openAt(directory);
    expect(await readFile(home.layout.pidFile, 'utf8')).toBe(`${process.pid}\n`);
    await home.close();
  });

  test('a process that ends well takes its pid file along', async () => {
    const directory = await temporaryDirectory();
    const { child } = await elsewhere(directory);
    await kill(child, 'SIGTERM');
    expect(child.exitCode).toBe(0);
    expect(await readdir(directory)).not.toContain('pid');
  });

  test.skipIf(!canUnshare())('also across pid namespaces', async () => {
    const directory = await temporaryDirectory();
    const unshare = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const inside = await elsewhere(directory, unshare);
    expect(inside.said).toBe('held');
    await expect(openAt(directory)).rejects.toThrow(HomeLocked);
    await kill(inside.child, 'SIGKILL');
    await untilOpen(directory);
    const home = await openAt(directory);
    expect((await elsewhere(directory, unshare)).said).toContain('HomeLocked');
    await home.close();
  });

  test('a lost or false pid file changes nothing', async () => {
    const directory = await temporaryDirectory();
    const home = await openAt(directory);
    await writeFile(home.layout.pidFile, 'x'.repeat(100));
    expect((await elsewhere(directory)).said).toContain('by another process');
    await rm(home.layout.pidFile);
    expect((await elsewhere(directory)).said).toContain('HomeLocked');
    await home.close();
  });
});

describe('a full disk', () => {
  const fullOnce = () => {
    let tries = 0;
    return async (path: string): Promise<Lock> => {
      tries += 1;
      if (tries === 1) throw new LockFailed('full', path);
      return takeLock(path);
    };
  };

  test('the reserve is spent where the lock needs its space', async () => {
    const directory = await temporaryDirectory();
    const options = { files: nodeFiles, directory, reserveBytes: 1000 };
    const first = await openHome(options);
    await first.reserve.restore();
    await first.close();
    const home = await openHome({ ...options, lock: fullOnce() });
    expect(home.reserveWasSpent).toBe(true);
    expect(await readdir(directory)).not.toContain('reserve');
    await home.close();
  });

  test('without a reserve it is refused with what to do', async () => {
    const directory = await temporaryDirectory();
    const opening = openHome({ files: nodeFiles, directory, lock: fullOnce() });
    await expect(opening).rejects.toThrow('free some space');
  });

  test('the reserve is not spent because another process has the lock', async () => {
    const directory = await temporaryDirectory();
    const options = { files: nodeFiles, directory, reserveBytes: 1000 };
    const home = await openHome(options);
    await home.reserve.restore();
    await expect(openHome(options)).rejects.toThrow(HomeLocked);
    expect(await readdir(directory)).toContain('reserve');
    await home.close();
  });

  test.each(['held', 'denied', 'other'] as const)(
    'the reserve is kept where the lock fails for another reason (%s)',
    async (failure) => {
      const directory = await temporaryDirectory();
      const options = { files: nodeFiles, directory, reserveBytes: 1000 };
      const first = await openHome(options);
      await first.reserve.restore();
      await first.close();
      const lock = async (path: string): Promise<Lock> => {
        throw new LockFailed(failure, path);
      };
      await expect(openHome({ ...options, lock })).rejects.toThrow();
      expect(await readdir(directory)).toContain('reserve');
    },
  );

  test('no room for the pid file is no reason not to start', async () => {
    const directory = await temporaryDirectory();
    await (await openAt(directory)).close();
    const files = tappedFiles();
    files.tap = ({ operation }) => {
      if (operation === 'write') throw systemError('ENOSPC');
    };
    await (await openHome({ files, directory })).close();
  });

  test.skipIf(!canMount())('a real one: the lock is taken with the reserve’s space', async () => {
    const directory = await temporaryDirectory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]);
    try {
      const options = { files: nodeFiles, directory, reserveBytes: 256 * 1024 };
      const first = await openHome(options);
      expect(await first.reserve.restore()).toBe(true);
      await first.close();
      await fillUp(join(directory, 'wal', 'filler'));
      const home = await openHome(options);
      expect(home.reserveWasSpent).toBe(true);
      await home.close();
    } finally {
      execFileSync('umount', [directory]);
    }
  });
});

/** Writes until the disk has not one page left. */
async function fillUp(path: string): Promise<void> {
  const file = await nodeFiles.open(path, 'create');
  let offset = 0;
  try {
    while (true) {
      await file.write([Buffer.alloc(4096, 1)], offset);
      offset += 4096;
    }
  } catch {
    await file.close();
  }
}

/** The kernel ends the processes of a namespace a moment after its first one. */
async function untilOpen(directory: string): Promise<void> {
  for (let tries = 0; tries < 1000; tries += 1) {
    const home = await openAt(directory).catch((cause: unknown) => {
      if (!(cause instanceof HomeLocked)) throw cause;
    });
    if (home) return home.close();
    await new Promise((done) => setImmediate(done));
  }
  throw new Error('the lock of a killed process is still held');
}

function canMount(): boolean {
  return runs('unshare', ['--mount', 'true'], 'mounting');
}

function canUnshare(): boolean {
  return runs('unshare', ['--pid', '--fork', '--mount-proc', 'true'], 'a pid namespace');
}

function runs(command: string, parameters: string[], what: string): boolean {
  try {
    execFileSync(command, parameters, { stdio: 'ignore' });
    return true;
  } catch {
    console.log(`skipped: ${what} is not permitted here`);
    return false;
  }
}

describe('a network file system', () => {
  test('is refused before anything is written to it', async () => {
    const directory = join(await temporaryDirectory(), 'data');
    const space = async () => ({ freeBytes: 1e12, totalBytes: 1e12, network: 'NFS' });
    const opening = openHome({ files: { ...nodeFiles, space }, directory });
    await expect(opening).rejects.toThrow(HomeRefused);
    await expect(opening).rejects.toThrow(/network file system \(NFS\).*set AEROSTORE_DATA_DIR/);
    expect(await readdir(directory)).toEqual([]);
  });

  test('is what no local directory is taken for', async () => {
    const found = await nodeFiles.space(await temporaryDirectory());
    expect(Object.keys(found).sort()).toEqual(['freeBytes', 'totalBytes']);
  });
});
