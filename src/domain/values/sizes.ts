/** Sizes as people write them: `kb, mb, gb` decimal, `KiB, MiB, GiB` binary, any case. */

/** Free space: a share of the disk (0.05 is 5 %), or bytes. */
export type DiskMark =
  | { readonly kind: 'share'; readonly share: number }
  | { readonly kind: 'bytes'; readonly bytes: number };

export function markBytes(mark: DiskMark, totalBytes: number): number {
  return mark.kind === 'share' ? mark.share * totalBytes : mark.bytes;
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** Bytes, or undefined where `text` is no size or not a whole number of bytes. */
export function parseSize(text: string): number | undefined {
  const match = /^\s*(\d{1,16})(?:\.(\d{1,9}))?\s*([a-z]{0,3})\s*$/i.exec(text);
  if (!match) return undefined;
  const [, whole = '', fraction = '', name = ''] = match;
  const unit = units[name.toLowerCase()];
  if (unit === undefined) return undefined;
  // Whole numbers throughout: 1.1 × 1e6 is no whole number in floating point.
  const scaled = BigInt(whole + fraction) * BigInt(unit);
  const scale = 10n ** BigInt(fraction.length);
  const bytes = Number(scaled / scale);
  return scaled % scale === 0n && Number.isSafeInteger(bytes) ? bytes : undefined;
}
