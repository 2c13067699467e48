/** The machine that figures were taken on, in words that go beside them. */
import { statfsSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

const fileSystems: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  16914836: 'tmpfs (not a disk: the figures say nothing)',
  2435016766: 'btrfs',
  2035054128: 'overlayfs',
};

/** `folder` lies on the disk that is measured. */
export function machine(folder: string): string {
  const [cpu] = cpus();
  const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const { type, bavail, bsize } = statfsSync(folder);
  return [
    `machine: ${cpus().length} × ${cpu?.model ?? 'unknown'}, ${gib(totalmem())}`,
    `system: Linux ${release()}, Node ${process.version}`,
    `disk: ${folder} on ${fileSystems[type] ?? `type ${type}`}, ${gib(bavail * bsize)} free`,
  ].join('\n');
}
