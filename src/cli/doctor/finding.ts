import type { Config } from '../../config.ts';

export type Level = 'ok' | 'warning' | 'problem';

/** One thing that was looked at. */
export interface Finding {
  readonly level: Level;
  /** What was seen, in one sentence without a full stop. */
  readonly what: string;
  /** What to do about it. */
  readonly advice?: string;
}

export const ok = (what: string): Finding => ({ level: 'ok', what });
export const warning = (what: string, advice: string): Finding => ({ level: 'warning', what, advice });
export const problem = (what: string, advice: string): Finding => ({ level: 'problem', what, advice });

export interface Examined {
  readonly config: Config;
  /** Also what takes long: each page of the database, each file. */
  readonly deep: boolean;
  readonly signal: AbortSignal;
}

/** Looks at one part; must not change anything. */
export type Examination = (examined: Examined) => AsyncIterable<Finding>;
