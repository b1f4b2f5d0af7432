import { expect, it } from 'vitest';
import { createEventBus } from '../src/pubsub/pubsub.ts';

type Topics = { tick: number; note: { text: string } };

async function take<T>(events: AsyncIterator<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

it('hands each event to every subscriber of its topic and id, in order', async () => {
  const bus = createEventBus<Topics>();
  const [first, second, other] = [bus.subscribe('tick', 'a'), bus.subscribe('tick', 'a'), bus.subscribe('note', 'a')];
  for (let n = 0; n < 10; n++) bus.publish('tick', 'a', n);
  bus.publish('tick', 'b', 99);
  bus.publish('note', 'a', { text: 'hi' });
  const expected = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
  expect(await take(first, 10)).toEqual(expected);
  expect(await take(second, 10)).toEqual(expected);
  expect(await take(other, 1)).toEqual([{ text: 'hi' }]);
});

it('listens from the moment of the call', async () => {
  const bus = createEventBus<Topics>();
  const events = bus.subscribe('tick', 'a');
  bus.publish('tick', 'a', 1);
  expect(await take(events, 1)).toEqual([1]);
});

it('trap 1: a reader that stands still keeps the newest events only, and nothing throws', async () => {
  const bus = createEventBus<Topics>();
  const stalled = bus.subscribe('tick', 'a');
  for (let n = 0; n < 5000; n++) bus.publish('tick', 'a', n);
  expect(await take(stalled, 64)).toEqual(Array.from({ length: 64 }, (_, index) => 5000 - 64 + index));
});

it('ends with its signal and with return(), also while it waits', async () => {
  const bus = createEventBus<Topics>();
  const controller = new AbortController();
  const aborted = bus.subscribe('tick', 'a', controller.signal);
  const returned = bus.subscribe('tick', 'a');
  const waiting = [aborted.next(), returned.next()];
  controller.abort();
  await returned.return?.();
  expect(await Promise.all(waiting)).toEqual([
    { done: true, value: undefined },
    { done: true, value: undefined },
  ]);
  bus.publish('tick', 'a', 1);
  expect((await aborted.next()).done).toBe(true);
  expect((await bus.subscribe('tick', 'a', AbortSignal.abort()).next()).done).toBe(true);
});

it('C46: thousands of subscribers come and go without a warning', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => void warnings.push(warning);
  process.on('warning', note);
  const bus = createEventBus<Topics>();
  const many = Array.from({ length: 5000 }, () => bus.subscribe('tick', 'a'));
  bus.publish('tick', 'a', 7);
  const values = await Promise.all(many.map((events) => events.next()));
  expect(values.every(({ value }) => value === 7)).toBe(true);
  await Promise.all(many.map((events) => events.return?.()));
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
