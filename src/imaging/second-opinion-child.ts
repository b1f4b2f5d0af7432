import { AppError } from '../errors.ts';
import { inspectImage } from './inspect.ts';
import type { ImageLimits } from './limits.ts';
import type { Opinion } from './second-opinion.ts';
import { configureSharp } from './sharp.ts';

/** A decoder may repeat itself for every line of a picture. */
const MOST_WORDS = 4000;

/** The process of `secondOpinion`: judges one picture and says so. Its arguments are the path and the limits as JSON. */
const [, , path = '', limits = '{}'] = process.argv;
configureSharp();
const opinion = await inspectImage(path, JSON.parse(limits) as ImageLimits, { alone: true }).then(
  (): Opinion => null,
  (error: unknown): Opinion => {
    if (!(error instanceof AppError)) throw error;
    const words = error.cause instanceof Error ? error.cause.message.slice(0, MOST_WORDS) : '';
    return { code: error.code, message: error.message, words };
  },
);
process.stdout.write(JSON.stringify(opinion));
