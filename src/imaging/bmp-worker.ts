import { parentPort, workerData } from 'node:worker_threads';
import { decodeBmp } from './bmp-pixels.ts';

const pixels = decodeBmp(workerData as Uint8Array);
parentPort?.postMessage(pixels, [pixels.data.buffer]);
