/**
 * Wrong bytes in the real LevelDB of a store that is stopped, file by file: no changed value is ever
 * shown. The start finds the damage, or a read, or the check of the views; then the store is whole
 * again by itself. Some damage LevelDB meets with an assertion that ends the process: then a later start
 * does without the old views.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../support/faulty-disk.ts';
import { fill, upload } from '../support/real-store.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { flipped } from './small-store.ts';
import { openReal, type Reply, type Trial } from './views-trial.ts';

const seed = 20_261;
const next = seededRandom(seed);
const below = (limit: number) => Math.floor(next() * limit);
console.log(`hostile views: seed ${seed}`);
const figures = {
  rebuilt: 0,
  'found by a read': 0,
  'found by the check': 0,
  'ended by LevelDB': 0,
  harmless: 0,
};

const objects = 60;
/** Two copies of a data directory: of one that was stopped, and of one that runs, which is what a kill leaves. */
const places = { stopped: '', killed: '' };
const digests = { stopped: '', killed: '' };
type Ending = keyof typeof places;

let child: ChildProcess | undefined;

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'aerostore-hostile-'));
  const live = join(directory, 'live');
  const first = await openReal(live);
  await fill(first, objects);
  await first.close();
  for (const ending of ['killed', 'stopped'] as const) places[ending] = join(directory, ending);
  const opened = await openReal(live);
  digests.stopped = await opened.store.views.digest();
  await opened.close();
  await cp(live, places.stopped, { recursive: true });
  const again = await openReal(live);
  await upload(again.store, 7, 'written again');
  digests.killed = await again.store.views.digest();
  await cp(live, places.killed, { recursive: true });
  await again.close();
  return async () => {
    child?.kill();
    console.log('hostile views:', figures);
    await rm(directory, { recursive: true });
  };
});

/** LOG is LevelDB's own chat, LOCK is empty. */
async function filesIn(ending: Ending): Promise<string[]> {
  const names = await readdir(join(places[ending], 'views'));
  return names.filter((name) => !/^(LOG|LOCK)/.test(name)).sort();
}

function* variantsOf(bytes: Buffer): Generator<readonly [what: string, bytes: Buffer | undefined]> {
  yield ['gone', undefined];
  if (bytes.length === 0) return;
  for (let count = 0; count < 2; count += 1) {
    const bit = below(bytes.length * 8);
    yield [`bit ${bit}`, flipped(bytes, bit)];
  }
  const length = below(bytes.length);
  yield [`cut to ${length}`, bytes.subarray(0, length)];
  const from = below(bytes.length);
  yield [`zeros from ${from}`, Buffer.from(bytes).fill(0, from, Math.min(from + 64, bytes.length))];
}

function textsOf(ending: Ending): Record<string, string> {
  const texts = Array.from({ length: objects }, (_, index) => [`p${index}`, `${index}`]);
  return { ...Object.fromEntries(texts), ...(ending === 'killed' ? { p7: 'written again' } : {}) };
}

/** undefined where the process ended on the way. */
async function ask(trial: Trial): Promise<Reply | undefined> {
  const script = fileURLToPath(new URL('views-trial.ts', import.meta.url));
  child ??= fork(script, { execArgv: ['-C', 'source', '--import', 'tsx'], stdio: 'ignore' });
  const asked = child;
  asked.send(trial);
  const stop = new AbortController();
  const { signal } = stop;
  const [kind, value] = await Promise.race([
    once(asked, 'message', { signal }).then(([reply]) => ['reply', reply] as const),
    once(asked, 'exit', { signal }).then(([, name]) => ['exit', name] as const),
  ]);
  stop.abort();
  if (kind === 'reply') return value as Reply;
  child = undefined;
  expect(value).toBe('SIGABRT');
  return undefined;
}

/** A process that ends over the views is started again, as a supervisor does. */
async function tryOne(trial: Trial): Promise<keyof typeof figures> {
  for (let start = 1; start <= 4; start += 1) {
    const reply = await ask(trial);
    if (!reply) continue;
    if ('fault' in reply) throw new Error(reply.fault);
    return start === 1 ? reply.found : 'ended by LevelDB';
  }
  throw new Error('the process ends at every start');
}

describe.each(['stopped', 'killed'] as const)('the views of a store that was %s', (ending) => {
  it('show no changed value, whatever file of theirs is wrong, and are whole again', async () => {
    for (const name of await filesIn(ending)) {
      const bytes = await readFile(join(places[ending], 'views', name));
      for (const [what, variant] of variantsOf(bytes)) {
        const directory = join(await temporaryDirectory(), 'data');
        await cp(places[ending], directory, { recursive: true });
        const file = join(directory, 'views', name);
        if (variant) await writeFile(file, variant);
        else await rm(file);
        const [texts, digest] = [textsOf(ending), digests[ending]];
        const trial = { directory, texts, digest };
        const how = await tryOne(trial).catch((cause: unknown) => {
          throw new Error(`${name}: ${what}: ${String(cause)}`, { cause });
        });
        figures[how] += 1;
      }
    }
  }, 120_000);
});
