import { deepStrictEqual } from 'node:assert/strict';
import { median, type Figure } from './figure.ts';
import { createLoadGenerator } from './load.ts';
import { seedService } from './seed.ts';
import { ask, startNode, startService } from './service.ts';

const QUERY = `{ viewer { history(first: 20) { edges { cursor node {
  id status percent queuedAt finishedAt model { id name } photo { id originalFilename width height } } }
  pageInfo { hasNextPage endCursor } } } }`;
const BODY = JSON.stringify({ query: QUERY });
const ROWS = 10_000;
const CONNECTIONS = 16;
/** A round is made of short turns, so that what else the machine does meets both sides alike. */
const TURNS = 4;
const TURN_SECONDS = 0.5;
const WARM_UP_SECONDS = 3;

async function answerOf(url: string, headers: Record<string, string>): Promise<unknown> {
  const response = await fetch(url, { method: 'POST', headers, body: BODY });
  return response.json();
}

export const history: Figure = {
  name: 'history',
  async measure({ rounds, dir, note }) {
    const { token, userId, path } = await seedService(dir, { restorations: ROWS, details: false });
    const service = await startService(dir);
    const { model } = await ask(service.url, '{ model(id: "auto") { name } }');
    const script = ['tests/bench/bare-graphql.ts', path, userId, model.name];
    const bare = await startNode(['--max-semi-space-size=8', ...script]);
    const generator = createLoadGenerator();
    try {
      const headers = { 'content-type': 'application/json' };
      const sides = [
        { url: `${service.url}/graphql`, headers: { ...headers, authorization: `Bearer ${token}` } },
        { url: `${bare.url}/graphql`, headers },
      ] as const;
      const [ours, theirs] = await Promise.all(sides.map(({ url, headers: sent }) => answerOf(url, sent)));
      deepStrictEqual(ours, theirs);
      const run = async (side: (typeof sides)[number], seconds: number): Promise<number> => {
        const load = { ...side, body: BODY, connections: CONNECTIONS, seconds };
        const { perSecond, failed } = await generator.run(load);
        if (failed > 0) throw new Error(`${failed} answers of ${side.url} were not 200`);
        return perSecond;
      };
      for (const side of sides) await run(side, WARM_UP_SECONDS);
      const measured: [number, number][] = [];
      for (let round = 0; round < rounds; round++) {
        const rates: [number, number] = [0, 0];
        for (let turn = 0; turn < TURNS; turn++) {
          rates[0] += (await run(sides[0], TURN_SECONDS)) / TURNS;
          rates[1] += (await run(sides[1], TURN_SECONDS)) / TURNS;
        }
        measured.push(rates);
        note(
          measured
            .at(-1)!
            .map((rate) => `${Math.round(rate)} req/s`)
            .join(' to '),
        );
      }
      const ratios = measured.map(([one, other]) => one / other);
      const rates = [0, 1].map((side) => Math.round(median(measured.map((pair) => pair[side as 0 | 1]))));
      return [
        {
          what: 'A page of 20 of the history, photos and models nested, signed in: requests per second',
          against: 'bare Yoga and Pothos over one prepared statement',
          value: median(ratios),
          unit: '×',
          must: { atLeast: 0.5 },
          detail: `${rates[0]} req/s to ${rates[1]} req/s`,
          rounds: ratios,
        },
      ];
    } finally {
      generator.stop();
      await Promise.all([service.stop(), bare.stop()]);
    }
  },
};
