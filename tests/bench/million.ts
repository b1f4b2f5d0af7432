import Database from 'better-sqlite3';
import { openDatabase } from '../../src/db/orm.ts';
import { cursorOf, readPage, type PageArgs } from '../../src/db/keyset.ts';
import { ENTITIES } from '../../src/entities.ts';
import { NOT_LISTED, RestorationEntity } from '../../src/restorations/entity.ts';
import { historyConditions } from '../../src/restorations/filter.ts';
import { median, type Figure, type FigureContext, type Measured } from './figure.ts';
import { seedService, type SeededService } from './seed.ts';
import { startService } from './service.ts';

const RESTORATIONS = 1_000_000;
const PAGE = 20;
const FAR_PAGE = 45_000;
const PAGES_A_ROUND = 300;
const STARTS = 5;

/** The rows on both sides of page 45,000, found the slow way. */
function farCursors({ path, userId }: SeededService): { after: string; before: string } {
  const database = new Database(path, { readonly: true });
  const rows = database
    .prepare<[string, number], { id: string }>(
      'select id from restoration where user_id = ? order by id desc limit 2 offset ?',
    )
    .all(userId, FAR_PAGE * PAGE - 1);
  database.close();
  return { after: cursorOf(rows[0]!), before: cursorOf(rows[1]!) };
}

/** The service's own history query through its own code: `readPage` on its own connection. */
async function measurePages(seeded: SeededService, { rounds, note }: FigureContext): Promise<Measured[]> {
  const far = farCursors(seeded);
  const database = await openDatabase({ path: seeded.path, entities: ENTITIES });
  const { userId, sessionId } = seeded;
  const actor = { kind: 'user', userId, sessionId, role: 'USER', guest: true, address: '' } as const;
  const em = database.fork();

  async function msOf(args: PageArgs): Promise<number> {
    const times: number[] = [];
    for (let n = 0; n < PAGES_A_ROUND; n++) {
      const began = performance.now();
      const where = historyConditions(actor, {});
      const { rows } = await readPage(em, RestorationEntity, { args, where, newestFirst: true, without: NOT_LISTED });
      times.push(performance.now() - began);
      if (rows.length !== PAGE) throw new Error(`a page of ${rows.length}`);
    }
    return median(times);
  }

  const pages = {
    first: { first: PAGE },
    far: { first: PAGE, after: far.after },
    farBackwards: { last: PAGE, before: far.before },
  };
  try {
    for (const args of Object.values(pages)) await msOf(args);
    const measured: Record<keyof typeof pages, number>[] = [];
    for (let round = 0; round < rounds; round++) {
      measured.push({
        first: await msOf(pages.first),
        far: await msOf(pages.far),
        farBackwards: await msOf(pages.farBackwards),
      });
    }
    const ms = (which: keyof typeof pages): number => median(measured.map((one) => one[which]));
    const shown = (which: keyof typeof pages): string => `${ms(which).toFixed(3)} ms`;
    note(`page 1 ${shown('first')}, page 45,000 ${shown('far')}, backwards ${shown('farBackwards')}`);
    const worst = measured.map(({ far: forwards, farBackwards }) => Math.max(forwards, farBackwards));
    const ratios = measured.map(({ first }, round) => worst[round]! / first);
    return [
      {
        what: 'Page 45,000 of a history of 1,000,000, forwards or backwards: time in the database',
        against: 'page 1',
        value: median(ratios),
        unit: '×',
        must: { atMost: 1.2 },
        detail: `${shown('far')} forwards and ${shown('farBackwards')} backwards to ${shown('first')}`,
        rounds: ratios,
      },
      {
        what: 'The same page by itself',
        against: null,
        value: median(worst),
        unit: 'ms',
        must: { atMost: 1 },
        detail: '20 rows',
        rounds: worst,
      },
    ];
  } finally {
    await database.close();
  }
}

async function untilReady(url: string): Promise<void> {
  for (;;) {
    const { status } = await fetch(`${url}/health/ready`);
    if (status === 200) return;
  }
}

async function measureStarts(dataDir: string, { note }: FigureContext): Promise<Measured[]> {
  const seconds: number[] = [];
  for (let start = 0; start < STARTS; start++) {
    const began = performance.now();
    const service = await startService(dataDir);
    try {
      await untilReady(service.url);
      seconds.push((performance.now() - began) / 1000);
    } finally {
      await service.stop();
    }
    note(`ready after ${seconds.at(-1)!.toFixed(2)} s`);
  }
  return [
    {
      what: 'Start of a service with 1,000,000 restorations, until it is ready',
      against: null,
      value: median(seconds),
      unit: 's',
      must: { atMost: 2 },
      detail: `from ${Math.min(...seconds).toFixed(2)} s to ${Math.max(...seconds).toFixed(2)} s`,
      rounds: seconds,
    },
  ];
}

/** What a long history costs. */
export const million: Figure = {
  name: 'million',
  async measure(context) {
    const began = performance.now();
    const seeded = await seedService(context.dir, { restorations: RESTORATIONS, details: true });
    context.note(`1,000,000 rows written in ${((performance.now() - began) / 1000).toFixed(0)} s`);
    return [...(await measurePages(seeded, context)), ...(await measureStarts(context.dir, context))];
  },
};
