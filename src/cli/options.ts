import { UsageError } from './exit.ts';

/** One `--option` of a command. */
export interface Option<T> {
  /** One letter for `-x`. */
  readonly short?: string;
  /** What stands for the value in the help; absent = a flag. */
  readonly value?: string;
  /** The value may be left out; the next argument is taken for it only where it looks like this. */
  readonly optional?: RegExp;
  /** One sentence for the help. */
  readonly doc: string;
  /**
   * Makes the value of the text, `true` for a flag that was given, undefined for what was left out.
   *
   * @param apart the text was an argument of its own, taken for its looks.
   */
  read(name: string, given: string | boolean | undefined, apart: boolean): T;
}

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

/** `--name`, `--name=VALUE` or `--name VALUE` where the value looks like `optional`; true without a value. */
export function optionalText(value: string, doc: string, optional: RegExp): Option<OptionalText | true | undefined> {
  return {
    value,
    doc,
    optional,
    read: (_name, given, apart) =>
      given === '' || typeof given === 'boolean' ? true : given === undefined ? given : { text: given, apart },
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
