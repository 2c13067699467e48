import { expect, test } from 'vitest';
import { createSlots } from '../../../src/service/webhooks/slots.ts';
import { deferred } from '../../support/deferred.ts';

const never = new AbortController().signal;

/** Until all that can go on now has gone on. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

function setting(limits: { total: number; perOwner: number }) {
  const slots = createSlots(limits);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const run = (owner: string, name: string, signal = never) => {
    const end = deferred();
    ends.set(name, () => end.resolve());
    return slots.run(owner, signal, () => {
      begun.push(name);
      return end.promise;
    });
  };
  const end = async (name: string) => {
    ends.get(name)?.();
    await turn();
  };
  return { slots, begun, run, end };
}

test('no more run at once than there are slots, and the rest in order', async () => {
  const { slots, begun, run, end } = setting({ total: 2, perOwner: 2 });
  const all = ['1', '2', '3', '4'].map((name, index) => run(`o${index}`, name));
  await turn();
  expect(begun).toEqual(['1', '2']);
  await end('2');
  expect(begun).toEqual(['1', '2', '3']);
  expect(slots.taken).toBe(2);
  for (const name of ['1', '3', '4']) await end(name);
  await Promise.all(all);
  expect([begun.join(''), slots.taken]).toEqual(['1234', 0]);
});

test('an owner whose slots are taken is passed by others, and keeps its turn', async () => {
  const { begun, run, end } = setting({ total: 3, perOwner: 1 });
  const all = [run('a', 'a1'), run('a', 'a2'), run('a', 'a3'), run('b', 'b1')];
  await turn();
  expect(begun).toEqual(['a1', 'b1']);
  await end('b1');
  expect(begun).toEqual(['a1', 'b1']);
  await end('a1');
  await end('a2');
  expect(begun).toEqual(['a1', 'b1', 'a2', 'a3']);
  await end('a3');
  await Promise.all(all);
});

test('who leaves while waiting takes no slot', async () => {
  const { slots, begun, run, end } = setting({ total: 1, perOwner: 1 });
  const first = run('a', '1');
  const leaving = new AbortController();
  const left = run('a', '2', leaving.signal);
  const third = run('a', '3');
  leaving.abort(new Error('left'));
  await expect(left).rejects.toThrow('left');
  await end('1');
  await end('3');
  await Promise.all([first, third]);
  expect([begun.join(''), slots.taken]).toEqual(['13', 0]);
});

test('what fails gives its slot back', async () => {
  const slots = createSlots({ total: 1, perOwner: 1 });
  await expect(slots.run('a', never, async () => Promise.reject(new Error('x')))).rejects.toThrow();
  expect(await slots.run('a', never, async () => 'ran')).toBe('ran');
});
