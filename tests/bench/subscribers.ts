import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { median, percentile, type Figure } from './figure.ts';
import { ask, startNode, type BenchProcess } from './service.ts';
import { openWatcher, type Watcher } from './watcher.ts';

const SUBSCRIBERS = 1000;
/** What the service allows one session, and one address. */
const PER_SESSION = 100;
const WINDOW_MS = 5000;
const FEWEST_EVENTS = (WINDOW_MS / 1000) * 9;

const FOLLOW = `subscription ($id: ID!) { restorationUpdated(id: $id) {
  cursor at stage percent restoration { id status percent } } }`;
const LOGIN = 'mutation { login(input: { username: "bench", password: "correct horse battery" }) { token } }';
const REGISTER = LOGIN.replace('login', 'register');
const RESTORE = 'mutation ($id: ID!) { restorePhoto(input: { photoId: $id }) { restoration { id } } }';
const CANCEL = 'mutation ($id: ID!) { cancelRestoration(input: { id: $id }) { restoration { status } } }';
const AT = Buffer.from('"at":"');

/** A thousand sockets that follow one thing at a time, and note when each event reached each of them. */
async function openWatchers(url: string, tokens: readonly string[]) {
  /** By event: how many have it. */
  const received = new Map<number, number>();
  const latencies: { at: number; ms: number }[] = [];
  const ready = new Set<number>();
  const watchers: Watcher[] = [];
  for (let first = 0; first < SUBSCRIBERS; first += PER_SESSION) {
    const batch = Array.from({ length: PER_SESSION }, (_, index) =>
      openWatcher(url, {
        token: tokens[first / PER_SESSION],
        address: `10.0.0.${first / PER_SESSION}`,
        onMessage(message) {
          const place = message.indexOf(AT);
          if (place < 0) return;
          const at = Date.parse(message.toString('latin1', place + AT.length, place + AT.length + 24));
          latencies.push({ at, ms: Date.now() - at });
          received.set(at, (received.get(at) ?? 0) + 1);
          ready.add(first + index);
        },
      }),
    );
    watchers.push(...(await Promise.all(batch)));
  }
  let round = 0;

  return {
    /** Follows `id` until it is quiet; answers what came in the window that began once everybody had a first message. */
    async watch(id: string, whileWatching: () => Promise<void>, end: () => Promise<void>) {
      ready.clear();
      round += 1;
      for (const { send } of watchers) {
        send({ type: 'subscribe', id: `${round}`, payload: { query: FOLLOW, variables: { id } } });
      }
      while (ready.size < SUBSCRIBERS) await wait(20);
      await wait(500);
      const from = Date.now();
      await whileWatching();
      const to = Date.now();
      await wait(500);
      await end();
      for (const { send } of watchers) send({ type: 'complete', id: `${round}` });
      await wait(500);
      const within = (at: number): boolean => at >= from && at < to;
      const events = [...received].filter(([at]) => within(at));
      const times = latencies.filter(({ at }) => within(at)).map(({ ms }) => ms);
      const copies = events.reduce((sum, [, count]) => sum + count, 0);
      received.clear();
      latencies.length = 0;
      return {
        p50: percentile(times, 0.5),
        p99: percentile(times, 0.99),
        // An event that never was counts as one that nobody got.
        delivered: (100 * copies) / (Math.max(events.length, FEWEST_EVENTS) * SUBSCRIBERS),
      };
    },
    close: () => watchers.forEach(({ close }) => close()),
  };
}

interface Round {
  readonly p50: number;
  readonly p99: number;
  readonly delivered: number;
  readonly cpu: number;
}

/** One side of the comparison: a process, and how a stream of events in it begins and ends. */
async function createSide(
  process: BenchProcess,
  tokens: readonly string[],
  source: { start(): Promise<string>; stop(id: string): Promise<void> },
) {
  const watchers = await openWatchers(process.url, tokens);
  return {
    async round(): Promise<Round> {
      const id = await source.start();
      let cpu = 0;
      const measure = async (): Promise<void> => {
        const [before, began] = [(await process.cpuSeconds()) ?? Number.NaN, performance.now()];
        await wait(WINDOW_MS);
        const used = ((await process.cpuSeconds()) ?? Number.NaN) - before;
        cpu = (100_000 * used) / (performance.now() - began);
      };
      const watched = await watchers.watch(id, measure, () => source.stop(id));
      return { ...watched, cpu };
    },
    async stop(): Promise<void> {
      watchers.close();
      await process.stop();
    },
  };
}

async function uploadSample(url: string, token: string): Promise<string> {
  const form = new FormData();
  const query = 'mutation ($file: Upload!) { uploadPhoto(input: { file: $file }) { photo { id } } }';
  form.set('operations', JSON.stringify({ query, variables: { file: null } }));
  form.set('map', '{ "0": ["variables.file"] }');
  form.set('0', new File([await readFile(join(import.meta.dirname, '../../samples/astronaut.jpg'))], 'a.jpg'));
  const headers = { authorization: `Bearer ${token}` };
  const answer = await fetch(`${url}/graphql`, { method: 'POST', body: form, headers });
  return ((await answer.json()) as { data: any }).data.uploadPhoto.photo.id;
}

async function service(dir: string) {
  const process = await startNode(['--max-semi-space-size=8', 'tests/bench/steady-service.ts'], {
    PORT: '0',
    DATA_DIR: dir,
    // A session and an address may hold a hundred sockets: ten of each, through what looks like a proxy.
    TRUST_PROXY: 'true',
  });
  const { url } = process;
  await ask(url, REGISTER);
  const tokens: string[] = [];
  while (tokens.length < SUBSCRIBERS / PER_SESSION) tokens.push((await ask(url, LOGIN)).login.token);
  const [token = ''] = tokens;
  const photo = await uploadSample(url, token);
  return createSide(process, tokens, {
    start: async () => (await ask(url, RESTORE, { id: photo }, token)).restorePhoto.restoration.id,
    stop: (id) => ask(url, CANCEL, { id }, token),
  });
}

async function bare() {
  const process = await startNode(['--max-semi-space-size=8', 'tests/bench/bare-subscriptions.ts']);
  return createSide(process, [], { start: async () => 'any', stop: async () => {} });
}

const shown = (rounds: readonly Round[]): string => {
  const of = (key: keyof Round): string => median(rounds.map((round) => round[key])).toFixed(0);
  return `p50 ${of('p50')} ms, p99 ${of('p99')} ms, ${of('cpu')} % of a core`;
};

/** A thousand sockets that follow one restoration, ten events a second. */
export const subscribers: Figure = {
  name: 'subscribers',
  async measure({ rounds, dir, note }) {
    const [ours, baseline] = [await service(dir), await bare()];
    const [own, theirs]: [Round[], Round[]] = [[], []];
    try {
      for (let round = 0; round < rounds; round++) {
        own.push(await ours.round());
        theirs.push(await baseline.round());
        note(`ours ${shown(own.slice(-1))}; bare ${shown(theirs.slice(-1))}`);
      }
    } finally {
      await Promise.all([ours.stop(), baseline.stop()]);
    }
    const what = `Subscribers: ${SUBSCRIBERS.toLocaleString('en')} sockets on one restoration, 10 events/s`;
    const [p99, delivered] = [own.map((round) => round.p99), own.map((round) => round.delivered)];
    return [
      {
        what: `${what}, p99 from publish to receipt`,
        against: null,
        value: median(p99),
        unit: 'ms',
        must: { atMost: 60 },
        detail: `${shown(own)}; bare graphql-ws ${shown(theirs)}`,
        rounds: p99,
      },
      {
        what: `${what}, delivered`,
        against: null,
        value: median(delivered),
        unit: '%',
        must: { atLeast: 99 },
        detail: `least of a round ${Math.min(...delivered).toFixed(1)} %`,
        rounds: delivered,
      },
    ];
  },
};
