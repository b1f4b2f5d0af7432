import { UsageError } from './exit.ts';

/** One `--option` of a command. */
export interface Option<T> {
  /** One letter for `-x`. */
  readonly short?: string;
  /** What stands for the value in the help; absent = a flag. */
  readonly value?: string;
  /** The value may be left out; the next argument is taken for it only where it looks like this. */
  readonly optional?: RegExp;
  /** May be given several times. */
  readonly several?: boolean;
  /** One sentence for the help. */
  readonly doc: string;
  /**
   * Makes the value of the text (of all texts where there may be several), `true` for a flag that was given, undefined for
   * what was left out.
   *
   * @param apart the text was an argument of its own, taken for its looks.
   */
  read(name: string, given: Given, apart: boolean): T;
}

/** What the command line says of one option. */
export type Given = string | boolean | readonly string[] | undefined;

export type Options = Readonly<Record<string, Option<unknown>>>;

/** The values of a table of options. */
export type Values<T extends Options> = { readonly [K in keyof T]: T[K] extends Option<infer V> ? V : never };

interface Extra {
  short?: string;
}

/** `--name`, false when left out. */
export function flag(doc: string, extra: Extra = {}): Option<boolean> {
  return { doc, ...extra, read: (_name, given) => given === true };
}

/** `--name VALUE`. */
export function text(value: string, doc: string, extra: Extra = {}): Option<string | undefined> {
  return {
    value,
    doc,
    ...extra,
    read(name, given) {
      if (given === '') throw new UsageError(`--${name} is empty.`);
      return typeof given === 'string' ? given : undefined;
    },
  };
}

/** A value that might have been left out. */
export interface OptionalText {
  readonly text: string;
  /** It was an argument of its own, so that it may have been meant for something else. */
  readonly apart: boolean;
}

/** `--name KEY=VALUE`, as often as there are keys; a value is JSON where it can be read as such, otherwise a text. */
export function settings(doc: string): Option<Readonly<Record<string, unknown>> | undefined> {
  return {
    value: 'NAME=VALUE',
    doc,
    several: true,
    read(name, given) {
      if (typeof given !== 'object') return undefined;
      const values = new Map<string, unknown>();
      for (const pair of given) {
        const [, key = '', value = ''] = /^([^=]+)=(.*)$/s.exec(pair) ?? [];
        if (key === '') throw new UsageError(`--${name} is ${pair}: it must be NAME=VALUE.`);
        if (values.has(key)) throw new UsageError(`--${name} ${key} is given twice.`);
        values.set(key, jsonOrText(value));
      }
      return Object.fromEntries(values);
    },
  };
}

function jsonOrText(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** `--name`, `--name=VALUE` or `--name VALUE` where the value looks like `optional`; true without a value. */
export function optionalText(value: string, doc: string, optional: RegExp): Option<OptionalText | true | undefined> {
  return {
    value,
    doc,
    optional,
    read: (_name, given, apart) =>
      typeof given === 'string' && given !== '' ? { text: given, apart } : given === undefined ? given : true,
  };
}

/** `--name N`, within a range. */
export function number(
  value: string,
  doc: string,
  range: { min: number; max: number; whole?: boolean },
): Option<number | undefined> {
  return {
    value,
    doc,
    read(name, given) {
      if (typeof given !== 'string') return undefined;
      const parsed = given.trim() === '' ? Number.NaN : Number(given);
      const fits = parsed >= range.min && parsed <= range.max && (range.whole !== true || Number.isInteger(parsed));
      if (fits) return parsed;
      const kind = range.whole === true ? 'a whole number' : 'a number';
      throw new UsageError(`--${name} is ${given}: it must be ${kind} from ${range.min} to ${range.max}.`);
    },
  };
}

/** `--name CHOICE`, by a table from what is typed (in any case) to what is meant. */
export function choice<T>(choices: Readonly<Record<string, T>>, doc: string): Option<T | undefined> {
  const names = Object.keys(choices);
  return {
    value: names.join('|'),
    doc,
    read(name, given) {
      if (typeof given !== 'string') return undefined;
      const chosen = Object.hasOwn(choices, given.toLowerCase()) ? choices[given.toLowerCase()] : undefined;
      if (chosen === undefined) throw new UsageError(`--${name} is ${given}: it must be one of ${names.join(', ')}.`);
      return chosen;
    },
  };
}
