import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createGate } from '../src/limits/gate.ts';

/** Work that ends when it is told to, and what has begun so far. */
function bench(gate = createGate({ capacity: 10, places: 3 })) {
  const begun: string[] = [];
  return {
    begun,
    start(name: string, weight: number, signal = new AbortController().signal) {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const done = gate.run(weight, signal, () => {
        begun.push(name);
        return promise;
      });
      done.catch(() => {});
      const end = async (): Promise<string> => {
        resolve(name);
        const result = await done;
        await turn();
        return result;
      };
      return { done, end, fail: reject };
    },
  };
}

describe('the gate', () => {
  it('lets through what fits together, by weight and by places, in the order of arrival', async () => {
    const { begun, start } = bench();
    const [a, b] = [start('a', 6), start('b', 5)];
    start('c', 9);
    await turn();
    expect(begun).toEqual(['a']);
    expect(await a.end()).toBe('a');
    expect(begun).toEqual(['a', 'b']);
    await b.end();
    expect(begun).toEqual(['a', 'b', 'c']);

    const light = bench();
    const first = light.start('1', 0);
    for (const name of ['2', '3', '4']) light.start(name, 0);
    await turn();
    expect(light.begun).toEqual(['1', '2', '3']);
    await first.end();
    expect(light.begun).toEqual(['1', '2', '3', '4']);
  });

  it('lets light work go on beside heavy work that runs and that waits, and never starves the one that waits', async () => {
    const { begun, start } = bench();
    const running = start('running', 8);
    const heavy = start('heavy', 8);
    const light = start('light', 2);
    const second = start('second', 2);
    await turn();
    expect(begun).toEqual(['running', 'light']);
    await light.end();
    // Beside each of the two heavy ones there is room for one of them at a time.
    expect(begun).toEqual(['running', 'light', 'second']);
    start('third', 2);
    await running.end();
    expect(begun).toEqual(['running', 'light', 'second', 'heavy']);
    await second.end();
    expect(begun).toEqual(['running', 'light', 'second', 'heavy', 'third']);
    await heavy.end();
  });

  it('is not passed by what would make the one that waits wait longer', async () => {
    const { begun, start } = bench();
    const running = start('running', 6);
    start('heavy', 8);
    start('medium', 4);
    await turn();
    expect(begun).toEqual(['running']);
    await running.end();
    expect(begun).toEqual(['running', 'heavy']);
  });

  it('runs what is heavier than the capacity alone', async () => {
    const { begun, start } = bench();
    const light = start('light', 0);
    const huge = start('huge', 1e9);
    start('after', 0);
    await turn();
    expect(begun).toEqual(['light']);
    await light.end();
    expect(begun).toEqual(['light', 'huge']);
    await huge.end();
    expect(begun).toEqual(['light', 'huge', 'after']);
  });

  it('gives the room back after an error', async () => {
    const { begun, start } = bench();
    const failing = start('failing', 10);
    const next = start('next', 10);
    failing.fail(new Error('no'));
    await expect(failing.done).rejects.toThrow('no');
    await turn();
    expect(begun).toEqual(['failing', 'next']);
    await next.end();
    const thrower = createGate({ capacity: 1, places: 1 });
    const { signal } = new AbortController();
    const throws = (): Promise<never> => {
      throw new Error('at once');
    };
    await expect(thrower.run(1, signal, throws)).rejects.toThrow('at once');
    expect(await thrower.run(1, signal, async () => 'free')).toBe('free');
  });

  it('rejects at once what is aborted while it waits, and lets through what waited behind it', async () => {
    const { begun, start } = bench();
    const reason = new Error('gone');
    const leaving = new AbortController();
    const running = start('running', 6);
    const heavy = start('heavy', 8, leaving.signal);
    start('medium', 4);
    await turn();
    leaving.abort(reason);
    await expect(heavy.done).rejects.toBe(reason);
    await turn();
    expect(begun).toEqual(['running', 'medium']);
    await running.end();
    await expect(start('late', 1, leaving.signal).done).rejects.toBe(reason);
    expect(begun).toEqual(['running', 'medium']);
  });

  it('does not give up the room of work that has begun when it is aborted', async () => {
    const { begun, start } = bench();
    const leaving = new AbortController();
    const running = start('running', 10, leaving.signal);
    start('next', 10);
    leaving.abort(new Error('gone'));
    await turn();
    expect(begun).toEqual(['running']);
    await running.end();
    expect(begun).toEqual(['running', 'next']);
  });
});
