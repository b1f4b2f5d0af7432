import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import type { Config } from '../config.ts';
import { UsageError, type Exit } from './exit.ts';
import { columns, exitCodes, paragraph } from './help.ts';
import { flag, type Given, type Options, type Values } from './options.ts';
import type { Terminal } from './terminal.ts';

/** What a command has at hand. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** The configuration, read when first asked for. @throws ConfigError */
  config(): Config;
  /** From now on Ctrl-C and SIGTERM abort this signal, and a second one ends the process. */
  interruptible(): AbortSignal;
}

export interface Command {
  /** A few words for the list of commands. */
  readonly summary: string;
  /** @param name as it was called, e.g. `user add`. */
  help(name: string): string;
  /** @throws UsageError for arguments that make no sense, CliError and AppError for what fails. */
  run(args: readonly string[], context: CommandContext): Promise<Exit>;
}

interface Definition<T extends Options> {
  summary: string;
  /** More than the summary: a sentence or more a paragraph. */
  description?: readonly string[];
  /** What stands behind the options, e.g. `NAME` or `[PHOTO …]`; absent = nothing may. */
  operands?: { usage: string; min: number; max: number };
  options: T;
  examples?: readonly string[];
  run(input: { values: Values<T>; operands: string[] }, context: CommandContext): Promise<Exit | void>;
}

const HELP = flag('Show this help.', { short: 'h' });

function parserOptions(options: Options): ParseArgsOptionsConfig {
  const entries = Object.entries(options).map(([name, { short, value, several = false }]) => [
    name,
    { type: value === undefined ? 'boolean' : 'string', multiple: several, ...(short === undefined ? {} : { short }) },
  ]);
  return Object.fromEntries(entries) as ParseArgsOptionsConfig;
}

/** Gives every option whose value may be left out one, since the parser knows no such option; `apart` = those that took the next word. */
function withValues(args: readonly string[], options: Options): { words: string[]; apart: Set<string> } {
  const words: string[] = [];
  const apart = new Set<string>();
  const end = args.indexOf('--');
  for (let at = 0; at < args.length; at += 1) {
    const word = args[at] ?? '';
    const optional = end >= 0 && at > end ? undefined : options[word.slice(2)]?.optional;
    if (optional === undefined || !word.startsWith('--')) words.push(word);
    else if (optional.test(args[at + 1] ?? '')) {
      apart.add(word.slice(2));
      words.push(`${word}=${args[(at += 1)]}`);
    } else words.push(`${word}=`);
  }
  return { words, apart };
}

function parse(args: readonly string[], options: Options) {
  const { words, apart } = withValues(args, options);
  try {
    const parsed = parseArgs({ args: words, options: parserOptions(options), allowPositionals: true, strict: true });
    return { ...parsed, apart };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // What follows the first sentence is advice of the parser that fits no command here.
    throw new UsageError(`${error.message.split(/\.\s|\n/, 1)[0]?.replace(/\.$/, '')}.`);
  }
}

/** Makes a command of its table of options and what it does. */
export function defineCommand<const T extends Options>(definition: Definition<T>): Command {
  const { summary, operands } = definition;
  const options: Options = { ...definition.options, help: HELP };

  return {
    summary,
    help(name) {
      const rows = Object.entries(options).map(([option, { short, value, optional, doc }]) => {
        const names = `${short === undefined ? '    ' : `-${short}, `}--${option}`;
        const given = optional === undefined ? ` ${value}` : `[=${value}]`;
        return [value === undefined ? names : `${names}${given}`, doc] as const;
      });
      return [
        `Usage: heirloom ${name} [options]${operands === undefined ? '' : ` ${operands.usage}`}`,
        ...(definition.description ?? [`${summary}.`]).map(paragraph),
        `Options:\n${columns(rows)}`,
        ...(definition.examples === undefined
          ? []
          : [`Examples:\n${definition.examples.map((line) => `  ${line}`).join('\n')}`]),
        exitCodes(),
      ].join('\n\n');
    },
    async run(args, context) {
      const { values, positionals, apart } = parse(args, options);
      const { min, max } = operands ?? { min: 0, max: 0 };
      if (positionals.length < min) throw new UsageError(`${operands?.usage ?? 'An argument'} is missing.`);
      if (positionals.length > max) throw new UsageError(`Unexpected argument: ${positionals[max]}.`);
      const read = Object.entries(definition.options).map(([name, option]) => [
        name,
        option.read(name, values[name] as Given, apart.has(name)),
      ]);
      const input = { values: Object.fromEntries(read) as Values<T>, operands: positionals };
      return (await definition.run(input, context)) ?? 'done';
    },
  };
}
