import { ConfigError } from '../config.ts';
import { defineCommand, type CommandContext } from './command.ts';
import type { Examination, Finding, Level } from './doctor/finding.ts';
import { flag } from './options.ts';
import type { Exit } from './exit.ts';

type Told = Finding & { readonly part: string };

/** Each part by its name, in the order of the report; the libraries they look at are loaded only for them. */
const PARTS: Readonly<Record<string, () => Promise<Examination>>> = {
  machine: async () => (await import('./doctor/machine.ts')).examineMachine,
  nets: async () => (await import('./doctor/nets.ts')).examineNets,
  configuration: async () => (await import('./doctor/configuration.ts')).examineConfiguration,
  data: async () => (await import('./doctor/data.ts')).examineData,
  space: async () => (await import('./doctor/space.ts')).examineSpace,
  clock: async () => (await import('./doctor/clock.ts')).examineClock,
  service: async () => (await import('./doctor/service.ts')).examineService,
};

async function* examine(deep: boolean, { config, interruptible }: CommandContext): AsyncGenerator<Told> {
  let examined;
  try {
    examined = { config: config(), deep, signal: interruptible() };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // Without a configuration there is nothing else to look at.
    for (const what of error.problems) yield { part: 'configuration', level: 'problem', what };
    return;
  }
  for (const [part, load] of Object.entries(PARTS)) {
    try {
      for await (const finding of (await load())(examined)) yield { part, ...finding };
    } catch (error) {
      examined.signal.throwIfAborted();
      const what = `could not be looked at: ${error instanceof Error ? error.message : String(error)}`;
      yield { part, level: 'problem', what };
    }
  }
}

const count = (told: readonly Told[], level: Level): number => told.filter((one) => one.level === level).length;

function summary(told: readonly Told[]): string {
  const counts = { problem: count(told, 'problem'), warning: count(told, 'warning') };
  const named = Object.entries(counts)
    .filter(([, number]) => number > 0)
    .map(([level, number]) => `${number} ${level}${number === 1 ? '' : 's'}`);
  return named.length === 0 ? 'Nothing to complain about.' : `${named.join(', ')}.`;
}

export const doctorCommand = defineCommand({
  summary: 'Look at the machine, the configuration, the data, free space and the clock',
  description: [
    'Looks at everything the service stands on, says what is wrong and what to do about it, and changes nothing. A service may be running. Ends with 1 when there is a problem; a warning is none.',
  ],
  options: {
    deep: flag('Also read the whole database and every file, and compare each with its hash.'),
    json: flag('Print an array of { part, level, what, advice } instead.'),
  },
  async run({ values: { deep, json } }, context): Promise<Exit> {
    const { terminal } = context;
    const told: Told[] = [];
    for await (const one of examine(deep, context)) {
      if (!json) {
        if (told.at(-1)?.part !== one.part) terminal.out(one.part);
        terminal.out(`  ${one.level.padEnd(8)} ${one.what}`);
        if (one.advice !== undefined) terminal.out(`           ${one.advice}`);
      }
      told.push(one);
    }
    terminal.out(json ? JSON.stringify(told, null, 2) : summary(told));
    return count(told, 'problem') === 0 ? 'done' : 'failed';
  },
});
