import type { Figure } from './figure.ts';
import { cost } from './cost.ts';
import { eventLoop } from './event-loop.ts';
import { history } from './history.ts';
import { idle } from './idle.ts';
import { inference } from './inference.ts';
import { large } from './large.ts';
import { million } from './million.ts';
import { photo } from './photo.ts';
import { renditions } from './renditions.ts';
import { subscribers } from './subscribers.ts';
import { upload } from './upload.ts';

/** Every figure, in the order of the table. */
export const FIGURES: readonly Figure[] = [
  history,
  million,
  upload,
  photo,
  renditions,
  subscribers,
  eventLoop,
  inference,
  cost,
  large,
  idle,
];
