/**
 * A file system of its own in a file, mounted through a loop device, whose power can be cut: the
 * FS_IOC_SHUTDOWN ioctl with the flag NOLOGFLUSH stops it at once, and what neither a sync nor its
 * own background writing had put on the device is gone after the next mount.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { until } from '../acceptance/support/until.ts';

export type Kind = 'ext4' | 'xfs';

export interface FileSystem {
  readonly kind: Kind;
  readonly directory: string;
  mount(): void;
  /** Nothing reaches the device any more, and what was not there yet never will. */
  shutdown(): void;
  unmount(): Promise<void>;
  /** The part of its space that is in use. */
  used(): number;
  destroy(): void;
}

const imageBytes = 1024 * 1024 * 1024;
const makers: Record<Kind, readonly string[]> = {
  ext4: ['mkfs.ext4', '-q', '-F'],
  xfs: ['mkfs.xfs', '-q', '-f'],
};
/** _IOR('X', 125, u32), and FS_SHUTDOWN_FLAGS_NOLOGFLUSH. */
const shutdownInPerl =
  'open(my $d, "<", $ARGV[0]) or die "open: $!"; my $f = pack("L", 2); ' +
  'ioctl($d, 0x8004587d, $f) or die "ioctl: $!";';

/** Why power cannot be cut here, or undefined. */
export function whyNot(kind: Kind): string | undefined {
  if (process.platform !== 'linux') return `there are no loop devices on ${process.platform}`;
  if (process.getuid?.() !== 0) return 'mounting needs root';
  try {
    const system = makeFileSystem(kind);
    try {
      system.mount();
      system.shutdown();
    } finally {
      system.destroy();
    }
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}

/** Not mounted yet. */
export function makeFileSystem(kind: Kind): FileSystem {
  const folder = mkdtempSync('/var/tmp/aerostore-power-');
  const image = path.join(folder, 'image');
  const directory = path.join(folder, 'mounted');
  mkdirSync(directory);
  writeFileSync(image, '');
  truncateSync(image, imageBytes);
  let isMounted = false;
  const release = () => {
    if (isMounted) spawnSync('umount', ['--lazy', directory]);
    isMounted = false;
    rmSync(folder, { recursive: true, force: true });
  };
  process.once('exit', release);
  const system: FileSystem = {
    kind,
    directory,
    mount() {
      run('mount', '-o', 'loop', image, directory);
      isMounted = true;
    },
    shutdown: () => run('perl', '-e', shutdownInPerl, directory),
    async unmount() {
      // The kernel lets go of a dead process's files a moment after its end.
      await until('unmounted', () => spawnSync('umount', [directory]).status === 0, 20_000);
      isMounted = false;
    },
    used() {
      const { blocks, bavail } = statfsSync(directory);
      return 1 - bavail / blocks;
    },
    destroy() {
      process.removeListener('exit', release);
      release();
    },
  };
  try {
    const [program = '', ...options] = makers[kind];
    run(program, ...options, image);
  } catch (cause) {
    system.destroy();
    throw cause;
  }
  return system;
}

function run(program: string, ...options: string[]): void {
  const { error, status, stderr } = spawnSync(program, options, { encoding: 'utf8' });
  if (error) throw new Error(`${program}: ${error.message}`);
  if (status !== 0) throw new Error(`${program} ${options[0]}: ${stderr.trim()}`);
}
