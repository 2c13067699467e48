/** Each scenario: its script, its size, and what must lie in the bucket when it is over. */
const kib = 1024;
const mib = 1024 * kib;

export interface Size {
  readonly sizeBytes: number;
  /** How often the script's work is done. */
  readonly count: number;
  readonly clients: number;
  /** Objects that are there before. */
  readonly stock?: number;
  readonly durationSeconds?: number;
  /** A second. */
  readonly rate?: number;
}

export interface Scenario {
  readonly name: string;
  readonly script: string;
  readonly full: Size;
  readonly quick: Size;
  /** Objects in the bucket after it; undefined where that follows from chance. */
  readonly leaves?: (size: Size) => number;
  readonly env?: Readonly<Record<string, string>>;
}

const uploads = ({ count }: Size) => count;
const stock = ({ stock = 0 }: Size) => stock;

function upload(name: string, full: Size, quick: Size): Scenario {
  return { name: `upload-${name}`, script: 'upload.js', full, quick, leaves: uploads };
}

function download(name: string, full: Size, quick: Size): Scenario {
  return { name: `download-${name}`, script: 'download.js', full, quick, leaves: stock };
}

function reading(name: string, full: Size): Scenario {
  const quick = { ...full, count: 100, stock: 100 };
  return { name, script: `${name}.js`, full, quick, leaves: stock };
}

export const scenarios: readonly Scenario[] = [
  upload(
    '4k',
    { sizeBytes: 4 * kib, count: 20_000, clients: 64 },
    { sizeBytes: 4 * kib, count: 400, clients: 16 },
  ),
  upload(
    '64k',
    { sizeBytes: 64 * kib, count: 8000, clients: 32 },
    { sizeBytes: 64 * kib, count: 100, clients: 8 },
  ),
  upload(
    '1m',
    { sizeBytes: mib, count: 1000, clients: 4 },
    { sizeBytes: mib, count: 20, clients: 4 },
  ),
  upload(
    '100m',
    { sizeBytes: 100 * mib, count: 24, clients: 8 },
    { sizeBytes: 100 * mib, count: 2, clients: 2 },
  ),
  download(
    '4k',
    { sizeBytes: 4 * kib, count: 40_000, clients: 32, stock: 2000 },
    { sizeBytes: 4 * kib, count: 400, clients: 16, stock: 50 },
  ),
  download(
    '64k',
    { sizeBytes: 64 * kib, count: 20_000, clients: 32, stock: 1000 },
    { sizeBytes: 64 * kib, count: 100, clients: 8, stock: 20 },
  ),
  download(
    '1m',
    { sizeBytes: mib, count: 4000, clients: 4, stock: 100 },
    { sizeBytes: mib, count: 40, clients: 4, stock: 10 },
  ),
  download(
    '100m',
    { sizeBytes: 100 * mib, count: 40, clients: 8, stock: 4 },
    { sizeBytes: 100 * mib, count: 2, clients: 2, stock: 1 },
  ),
  {
    name: 'mixed',
    script: 'mixed.js',
    full: { sizeBytes: 16 * kib, count: 20_000, clients: 32, stock: 1000 },
    quick: { sizeBytes: 16 * kib, count: 300, clients: 16, stock: 50 },
    leaves: (size) => stock(size) + Math.ceil(size.count / 5),
  },
  reading('list', { sizeBytes: 100, count: 500, clients: 4, stock: 2000 }),
  reading('metadata', { sizeBytes: 100, count: 20_000, clients: 16, stock: 2000 }),
  reading('sign', { sizeBytes: 4 * kib, count: 5000, clients: 16, stock: 1000 }),
  reading('crowd', { sizeBytes: 100, count: 3000, clients: 16, stock: 10_000 }),
  {
    name: 'burst',
    script: 'burst.js',
    full: { sizeBytes: 16 * kib, count: 1000, clients: 1000 },
    quick: { sizeBytes: 16 * kib, count: 1000, clients: 1000 },
    leaves: uploads,
  },
  {
    name: 'churn',
    script: 'churn.js',
    full: { sizeBytes: 4 * kib, count: 5000, clients: 32 },
    quick: { sizeBytes: 4 * kib, count: 200, clients: 16 },
    leaves: () => 0,
  },
  {
    name: 'soak',
    script: 'soak.js',
    full: {
      sizeBytes: 16 * kib,
      count: 1,
      clients: 32,
      stock: 1000,
      durationSeconds: 600,
      rate: 100,
    },
    quick: {
      sizeBytes: 16 * kib,
      count: 1,
      clients: 16,
      stock: 50,
      durationSeconds: 10,
      rate: 30,
    },
    // What it overwrites and deletes is freed while it runs: that belongs to a day's work.
    env: { AEROSTORE_RETENTION: '10s', AEROSTORE_CLEANUP_INTERVAL: '15s' },
  },
];
