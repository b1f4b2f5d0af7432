import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { OVER_MEMORY } from './protocol.ts';

/**
 * The thread of a model's process that still lives while a model runs: it ends the process when that takes too much memory, and when
 * nobody is there any more who would.
 */
const EVERY_MS = 50;
const { maxMemory, parent } = workerData as { maxMemory: number; parent: number };

setInterval(() => {
  const heavy = process.memoryUsage.rss() > maxMemory;
  if (!heavy && process.ppid === parent) return;
  if (heavy) writeSync(2, `${OVER_MEMORY}\n`);
  process.kill(process.pid, 'SIGKILL');
}, EVERY_MS);
