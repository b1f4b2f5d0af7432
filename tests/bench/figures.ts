import type { Figure } from './figure.ts';
import { history } from './history.ts';

/** Every figure, in the order of the table. */
export const FIGURES: readonly Figure[] = [history];
