/**
 * Wrong bytes in the log and in the files beside it, under a whole store: a start refuses, says where
 * and what to do, and has changed nothing; or the store shows exactly what it showed last.
 *
 * Every bit of segments alone is in test/wal/damage, of control files alone in test/home/control.
 * Here all floors stand above: one bit of every byte of the last segment, every bit and every length of
 * the control files, and for the rest every nth byte.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../support/faulty-disk.ts';
import { dataDirectory } from '../support/rig.ts';
import {
  type AtRest,
  changedIn,
  copyOf,
  flipped,
  type Outcome,
  shownBy,
  smallStore,
  start,
} from './small-store.ts';

const sealed = `${dataDirectory}/wal/00000000000000000001.wal`;
const last = `${dataDirectory}/wal/00000000000000000006.wal`;
const fence = `${dataDirectory}/fence`;
const marker = `${dataDirectory}/clean`;
const headerBytes = 128;
const trailerBytes = 80;

const seed = 20_261_121;
const random = seededRandom(seed);
console.log(`hostile log: seed ${seed}`);
const figures = { refused: 0, whole: 0 };

let clean: AtRest;
let killed: AtRest;
beforeAll(async () => {
  clean = await smallStore('clean');
  killed = await smallStore('killed');
  return () => console.log('hostile log: starts', figures);
});

const bytesOf = (rest: AtRest, path: string): Buffer => rest.files.get(path) ?? Buffer.alloc(0);
const anyBit = (byte: number) => byte * 8 + Math.floor(random() * 8);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

/** Starts each variant of a file; those that are refused leave the disk as it was, so they share it. */
async function tryAll(
  rest: AtRest,
  path: string,
  variants: Iterable<Buffer | undefined>,
  judge: (outcome: Outcome, variant: number) => void,
): Promise<void> {
  let rig = await copyOf(rest);
  let index = 0;
  for (const bytes of variants) {
    rig.disk.poke(path, bytes);
    const before = new Map(rest.files);
    if (bytes) before.set(path, bytes);
    else before.delete(path);
    const outcome = await start(rig);
    judge(outcome, index);
    if (outcome.kind === 'refused') {
      figures.refused += 1;
      expect(changedIn(rig.disk, before), `variant ${index}`).toEqual([]);
    } else {
      figures.whole += 1;
      expect(outcome.shown, `variant ${index}`).toBe(rest.shown);
      keepsOriginals(rig.disk.peek, outcome, before);
    }
    if (outcome.kind === 'open' || bytes === undefined) rig = await copyOf(rest);
    index += 1;
  }
}

/** A segment that was made shorter by the start is still there, as it was found. */
function keepsOriginals(
  peek: (path: string) => Buffer | undefined,
  { report }: Outcome & { kind: 'open' },
  before: ReadonlyMap<string, Buffer>,
): void {
  for (const [path, bytes] of before) {
    if (!path.endsWith('.wal')) continue;
    const now = peek(path);
    // Sealing adds to the end of a whole segment.
    if (now?.subarray(0, bytes.length).equals(bytes)) continue;
    expect(report.set_aside.length, path).toBeGreaterThan(0);
    expect(peek(`${path}.broken`)?.equals(bytes), path).toBe(true);
  }
}

function namesThePlace(path: string) {
  const file = path.slice(path.lastIndexOf('/') + 1);
  return (outcome: Outcome, variant: number) => {
    if (outcome.kind === 'open') return;
    expect(outcome.text, `variant ${variant}`).toContain(file);
    expect(outcome.text).toMatch(/byte \d+, position \d+|knows of position \d+/);
    expect(outcome.text).toContain('"aerostore wal repair"');
  };
}

function refuses(path: string) {
  const named = namesThePlace(path);
  return (outcome: Outcome, variant: number) => {
    expect(outcome.kind, `variant ${variant}`).toBe('refused');
    named(outcome, variant);
  };
}

describe.each([
  ['a clean stop', () => clean],
  ['a kill', () => killed],
])('the last segment after %s', (_, rest) => {
  it('is refused for one bit of any byte', async () => {
    const bytes = bytesOf(rest(), last);
    // A kill leaves the same bytes but for the trailer: some of them will do.
    const every = rest() === clean ? 1 : 5;
    const places = upTo(bytes.length).filter((byte) => byte % every === 0);
    const variants = places.map((byte) => flipped(bytes, anyBit(byte)));
    await tryAll(rest(), last, variants, refuses(last));
  });

  it('is refused at any length, or nothing that was acknowledged is missing', async () => {
    const bytes = bytesOf(rest(), last);
    const lengths = upTo(bytes.length).filter(
      (length) => length % 5 === 0 || length > bytes.length - 200,
    );
    const variants = lengths.map((length) => bytes.subarray(0, length));
    let whole = 0;
    await tryAll(rest(), last, variants, (outcome) => {
      if (outcome.kind === 'open') whole += 1;
      else expect(outcome.text).toMatch(/knows of position \d+|at byte \d+/);
    });
    // All of the trailer may go, which a clean stop has and a kill has not.
    expect(whole).toBe(rest() === clean ? trailerBytes : 0);
  });
});

describe('a sealed segment', () => {
  it('is refused for one bit of any byte of its header and its trailer', async () => {
    const bytes = bytesOf(clean, sealed);
    const places = upTo(headerBytes).concat(
      upTo(trailerBytes).map((byte) => bytes.length - trailerBytes + byte),
    );
    const variants = places.map((byte) => flipped(bytes, anyBit(byte)));
    await tryAll(clean, sealed, variants, refuses(sealed));
  });

  it('is refused at any smaller length', async () => {
    const bytes = bytesOf(clean, sealed);
    const lengths = upTo(bytes.length).filter((length) => length % 5 === 0);
    const variants = lengths.map((length) => bytes.subarray(0, length));
    await tryAll(clean, sealed, variants, refuses(sealed));
  });

  it('harms nothing by a wrong frame while the views are whole, and is refused once it is read', async () => {
    const bytes = bytesOf(clean, sealed);
    const room = bytes.length - headerBytes - trailerBytes;
    const places = upTo(25).map(() => headerBytes + Math.floor(random() * room));
    const variants = places.map((byte) => flipped(bytes, anyBit(byte)));
    await tryAll(clean, sealed, variants, (outcome) => expect(outcome.kind).toBe('open'));
    for (const variant of variants) {
      const rig = await copyOf(clean);
      rig.disk.poke(sealed, variant);
      rig.views.destroy();
      const outcome = await start(rig);
      expect(outcome.kind).toBe('refused');
      namesThePlace(sealed)(outcome, 0);
      expect(rig.disk.peek(sealed)?.equals(variant)).toBe(true);
    }
  });
});

describe('a segment that is gone', () => {
  it.each([
    ['the last one after a clean stop', () => clean, last],
    ['the last one after a kill', () => killed, last],
  ])('is refused: %s', async (_, rest, path) => {
    await tryAll(rest(), path, [undefined], (outcome) => expect(outcome.kind).toBe('refused'));
  });

  it('is refused where it is the first and the views need it', async () => {
    const rig = await copyOf(clean);
    rig.disk.poke(sealed, undefined);
    rig.views.destroy();
    expect((await start(rig)).kind).toBe('refused');
  });

  it.each([
    ['the clean marker', [fence]],
    ['the fence', [marker]],
    ['the views', [fence, marker]],
  ])('is known by %s alone where all segments are', async (_, removed) => {
    const rig = await copyOf(clean);
    for (const path of [sealed, last, ...removed]) rig.disk.poke(path, undefined);
    const outcome = await start(rig);
    if (outcome.kind === 'open') throw new Error('a store without its log starts');
    expect(outcome.text).toContain('knows of position');
  });
});

describe('a log that was cut at the edge of a frame', () => {
  it.each([
    ['the clean marker', [fence], true],
    ['the fence', [marker], true],
    ['the views', [fence, marker], false],
  ])('is refused by %s alone', async (_, removed, destroyViews) => {
    const edges = edgesOf(clean, last);
    expect(edges.length).toBeGreaterThan(2);
    for (const edge of edges.slice(0, -1)) {
      const rig = await copyOf(clean);
      for (const path of removed) rig.disk.poke(path, undefined);
      if (destroyViews) rig.views.destroy();
      rig.disk.poke(last, bytesOf(clean, last).subarray(0, edge));
      const before = new Map(rig.disk.paths().map((path) => [path, rig.disk.peek(path)] as const));
      const outcome = await start(rig);
      if (outcome.kind === 'open') throw new Error(`cut at ${edge}, and it starts`);
      expect(outcome.text).toContain('knows of position');
      expect(outcome.text).toContain('"aerostore wal repair"');
      expect(rig.disk.peek(last)).toEqual(before.get(last));
    }
  });
});

describe('a control file', () => {
  it.each([
    ['the clean marker', marker],
    ['the fence', fence],
  ])('%s is refused for every bit and at every length', async (_, path) => {
    const bytes = bytesOf(clean, path);
    const bits = upTo(bytes.length * 8).map((bit) => flipped(bytes, bit));
    const lengths = upTo(bytes.length).map((length) => bytes.subarray(0, length));
    await tryAll(clean, path, [...bits, ...lengths], (outcome, variant) => {
      if (outcome.kind === 'open') throw new Error(`variant ${variant} starts`);
      expect(outcome.text).toContain(`${path} is damaged at byte 0`);
      expect(outcome.text).toContain('"aerostore wal repair"');
    });
  });

  it.each([
    ['the clean marker', [marker]],
    ['the fence', [fence]],
    ['both', [marker, fence]],
  ])('costs only time where it is gone: %s', async (_, removed) => {
    const rig = await copyOf(clean);
    for (const path of removed) rig.disk.poke(path, undefined);
    const outcome = await start(rig);
    expect(outcome).toMatchObject({ kind: 'open', shown: clean.shown });
  });

  it.each(['version', 'node', 'pid'])(
    '"%s" is refused by its name, or changes nothing of what is stored',
    async (name) => {
      const path = `${dataDirectory}/${name}`;
      const bytes = clean.files.get(path) ?? Buffer.from('4242\n');
      for (const variant of [
        ...upTo(bytes.length).map((byte) => flipped(bytes, anyBit(byte))),
        ...upTo(bytes.length).map((length) => bytes.subarray(0, length)),
      ]) {
        const rig = await copyOf(killed);
        rig.disk.poke(path, variant);
        const outcome = await start(rig);
        if (outcome.kind === 'open') expect(outcome.shown).toBe(killed.shown);
        else expect(outcome.text).toContain(name === 'version' ? 'format' : path);
      }
    },
  );
});

/** Where frames begin, and so where the ones before end. */
function edgesOf(rest: AtRest, path: string): number[] {
  const bytes = bytesOf(rest, path);
  const magic = Buffer.from('ae57a1f7', 'hex');
  const edges: number[] = [];
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) edges.push(at);
  return edges;
}

it('a store at rest is told apart from another', async () => {
  const rig = await copyOf(clean);
  await rig.open();
  expect(await shownBy(rig)).toBe(clean.shown);
  await rig.close();
});
