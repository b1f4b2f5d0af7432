import Database from 'better-sqlite3';
import { createSchema } from 'graphql-yoga';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { RequestFacts } from '../src/graphql/server.ts';
import { createEventBus } from '../src/pubsub/pubsub.ts';
import { RESTORE, startApp, type TestApp } from './helpers/app.ts';
import { startEdge } from './helpers/edge.ts';
import { openSession, type RawSocket } from './helpers/raw-socket.ts';
import { ACTIVITY, FOLLOW, jpeg, sql, until } from './helpers/service.ts';
import { reportSteadily } from './helpers/steady.ts';

const CANCEL = 'mutation ($id: ID!) { cancelRestoration(input: { id: $id }) { restoration { id } } }';
const subscribe = (id: string, query: string, variables: object = {}) => ({
  type: 'subscribe',
  id,
  payload: { query, variables },
});
const eventsOf = ({ messages }: RawSocket, id = '1'): any[] =>
  messages
    .filter((message) => message.type === 'next' && message.id === id)
    .map(({ payload }) => Object.values(payload.data)[0]);

async function sockets(url: string, count: number, token: string): Promise<RawSocket[]> {
  const opened = await Promise.all(Array.from({ length: count }, () => openSession(url, token)));
  onTestFinished(() => opened.forEach(({ socket }) => socket.terminate()));
  return opened;
}

describe('a restoration that many follow', () => {
  let app: TestApp;
  let token: string;
  let id: string;
  beforeAll(async () => {
    app = await startApp();
    reportSteadily(app.app);
    token = await app.guest();
    const { data } = await app.upload(RESTORE, { file: { bytes: await jpeg(7) } }, {}, token);
    id = data.restorePhoto.restoration.id;
    await until(() => app.ok('query ($id: ID!) { restoration(id: $id) { percent } }', { id }, token));
  });
  afterAll(async () => {
    await app.ok(CANCEL, { id }, token);
    await app.close();
  });

  /** Every statement that reads the database while `work` runs. */
  async function statements(work: () => Promise<unknown>): Promise<string[]> {
    const any = new Database(':memory:').prepare('select 1');
    const spy = vi.spyOn(Object.getPrototypeOf(any) as Database.Statement, 'all');
    await work();
    const texts = spy.mock.contexts.map((statement) => (statement as Database.Statement).source);
    spy.mockRestore();
    return texts;
  }

  it('C46: an event costs one load for all of them, and none where it brings what is asked for', async () => {
    const many = await sockets(app.url, 40, token);
    for (const each of many) each.send(subscribe('1', FOLLOW, { id }));
    // The last stage is on record by then, and what comes is percents in between.
    await until(() => many.every((each) => eventsOf(each).filter(({ stage }) => stage === 'DENOISING').length > 2));
    const before = eventsOf(many[0]!).length;
    const live = await statements(() => until(() => many.every((each) => eventsOf(each).length >= before + 5)));
    expect(live.filter((text) => /from `restoration` t where t\.id (=|in)/.test(text))).toEqual([]);

    for (const each of many) each.send(subscribe('2', ACTIVITY));
    // Nothing says when a subscription stands.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const other = await app.upload(RESTORE, { file: { bytes: await jpeg(8) } }, {}, token);
    const last = (each: RawSocket) => eventsOf(each, '2').at(-1);
    await until(() =>
      many.every((each) => eventsOf(each, '2').some((event) => event.restoration?.status === 'RUNNING')),
    );
    // The last that happens by itself.
    await until(() => many.every((each) => eventsOf(each, '2').some(({ kind }) => kind === 'PHOTO_DIAGNOSED')));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const seen = eventsOf(many[0]!, '2').length;
    const stop = { id: other.data.restorePhoto.restoration.id };
    const stored = await statements(async () => {
      await app.ok(CANCEL, stop, token);
      await until(() => many.every((each) => last(each).restoration?.status === 'CANCELLED'));
    });
    expect(eventsOf(many[0]!, '2').length - seen).toBe(1);
    expect(stored.filter((text) => /from `event` t where t\.session_id/.test(text))).toHaveLength(1);
    expect(stored.filter((text) => text.includes('from `photo` t')).length).toBeLessThan(5);
  });

  it('who comes late, or comes back, sees no percent below what was shown already', async () => {
    const [first, late] = (await sockets(app.url, 2, token)) as [RawSocket, RawSocket];
    first.send(subscribe('1', FOLLOW, { id }));
    await until(() => eventsOf(first).length > 5);
    const shown = eventsOf(first).at(-1);
    late.send(subscribe('1', FOLLOW, { id }));
    await until(() => eventsOf(late).length > 0);
    expect(eventsOf(late)[0].percent).toBeGreaterThanOrEqual(shown.percent);
    expect(eventsOf(late)[0].restoration.percent).toBe(eventsOf(late)[0].percent);
    const stored = await sql<{ percent: number }>(app, 'select max(percent) as percent from event');
    expect(shown.percent).toBeGreaterThan(stored[0]!.percent);
  });
});

describe('a selection is worked out once for each event', () => {
  const typeDefs = `
    type Query { hello: String }
    type Happened { who: String! link: String! words(times: Int): String! fails: Boolean! }
    type Subscription { happens: Happened! }`;
  let runs = 0;
  const bus = createEventBus<{ thing: { word: string } }>();
  const schema = createSchema<RequestFacts>({
    typeDefs,
    resolvers: {
      Happened: {
        who: (_: unknown, __: unknown, { actor }) => {
          runs += 1;
          return actor.kind === 'user' ? actor.userId : actor.kind;
        },
        link: (_: unknown, __: unknown, { baseUrl }) => baseUrl,
        words: ({ word }: { word: string }, { times = 1 }: { times?: number }) => word.repeat(times),
        fails: (_: unknown, __: unknown, { actor }) => {
          throw new Error(`for ${actor.kind === 'user' ? actor.userId : 'nobody'}`);
        },
      },
      Subscription: {
        happens: {
          subscribe: (_: unknown, __: unknown, { signal }) => bus.subscribe('thing', 'a', signal),
          resolve: (event: object) => event,
        },
      },
    },
  });

  async function follow(queries: [token: string, query: string, variables?: object][]) {
    const edge = await startEdge({ schema, limits: { openConnections: { perAddress: 50, perSession: 50 } } });
    onTestFinished(() => edge.stop());
    const opened = await Promise.all(queries.map(([token]) => openSession(edge.url, token)));
    for (const [index, [, query, variables]] of queries.entries())
      opened[index]!.send(subscribe('1', query, variables));
    await new Promise((resolve) => setTimeout(resolve, 200));
    runs = 0;
    bus.publish('thing', 'a', { word: 'x' });
    await until(() => opened.every(({ messages }) => messages.some(({ type }) => type === 'next')));
    return { edge, payloads: opened.map(({ messages }) => messages.find(({ type }) => type === 'next').payload) };
  }
  const WORDS = 'subscription ($n: Int) { happens { who link words(times: $n) } }';

  it('for all sockets of a session that ask for the same', async () => {
    const { payloads } = await follow(Array.from({ length: 20 }, () => ['ann', WORDS, { n: 2 }]));
    expect(payloads.map(({ data }) => data.happens.words)).toEqual(Array.from({ length: 20 }, () => 'xx'));
    expect(runs).toBe(1);
  });

  it('C36: but never for another actor, other variables or another document', async () => {
    const { payloads } = await follow([
      ['ann', WORDS, { n: 2 }],
      ['bob', WORDS, { n: 2 }],
      ['ann', WORDS, { n: 3 }],
      ['ann', 'subscription { happens { who words } }'],
    ]);
    expect(payloads.map(({ data: { happens } }) => [happens.who, happens.words])).toEqual([
      ['ann', 'xx'],
      ['bob', 'xx'],
      ['ann', 'xxx'],
      ['ann', 'x'],
    ]);
    expect(runs).toBe(4);
  });

  it('an error is everybody’s own, with the id of their request', async () => {
    const { edge, payloads } = await follow([
      ['ann', 'subscription { happens { fails } }'],
      ['ann', 'subscription { happens { fails } }'],
    ]);
    const ids = payloads.map(({ errors }) => errors[0].extensions.requestId);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(edge.lines.some((line) => line.includes(id) && line.includes('for ann'))).toBe(true);
  });
});
