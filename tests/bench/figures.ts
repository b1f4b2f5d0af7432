import type { Figure } from './figure.ts';
import { history } from './history.ts';
import { million } from './million.ts';
import { subscribers } from './subscribers.ts';
import { upload } from './upload.ts';

/** Every figure, in the order of the table. */
export const FIGURES: readonly Figure[] = [history, million, subscribers, upload];
