import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { createRaster } from '../../src/imaging/raster.ts';
import { planTiles, type TilePlan } from '../../src/imaging/tiles.ts';
import { openNets } from '../../src/inference/nets.ts';
import type { OwnNet } from '../../src/inference/own-net.ts';
import { MODELS_FOLDER, readShelf } from '../../src/inference/shelf.ts';
import { median, type Figure } from './figure.ts';

const WIDTH = 2048;
const HEIGHT = 1536;

/** The net's session alone, on as many tiles of the same size. @returns what runs them, in milliseconds. */
async function bareSession(net: OwnNet, { columns, rows, count }: TilePlan): Promise<() => Promise<number>> {
  const session = await InferenceSession.create(await readFile(net.path), {
    intraOpNumThreads: availableParallelism(),
    interOpNumThreads: 1,
    enableMemPattern: false,
  });
  const tensor = (planes: number, factor: number): Tensor => {
    const dims = [1, planes, rows.size * factor, columns.size * factor];
    return new Tensor('float32', new Float32Array(dims.reduce((a, b) => a * b)).fill(0.5), dims);
  };
  const feeds = { [net.input]: tensor(3 + net.controls.length, 1) };
  const fetches = { [net.output]: tensor(net.planes, net.scale) };
  return async () => {
    const began = performance.now();
    for (let tile = 0; tile < count; tile++) await session.run(feeds, fetches);
    return performance.now() - began;
  };
}

/** What the service adds to the costliest net that ships with it: cutting, the thread, feathering, rounding. */
export const createInferenceFigure = (folder: string): Figure => ({
  name: 'inference',
  async measure({ rounds, note }) {
    const { nets } = await readShelf(folder);
    const net = nets.filter(({ task }) => task === 'restore').toSorted((a, b) => b.cost - a.cost)[0];
    if (net === undefined) {
      note('there is no net to measure in models/');
      return [];
    }
    const plan = planTiles(WIDTH, HEIGHT, net.tile);
    const bare = await bareSession(net, plan);
    const own = await openNets({ folder, windowMs: Number.MAX_SAFE_INTEGER, memory: Number.MAX_SAFE_INTEGER });
    try {
      const picture = own.find('restore', 'BEST');
      if (picture === undefined) throw new Error(own.problems()[0]?.reason);
      const source = createRaster({ width: WIDTH, height: HEIGHT, channels: 3, depth: 8 });
      source.data.forEach((_, i) => (source.data[i] = (i * 7919) % 251));
      const target = createRaster(source);
      const controls = Object.fromEntries(picture.controls.map((control) => [control, 0.2]));
      const ours = async (): Promise<number> => {
        const began = performance.now();
        await picture.run(source, target, { controls, signal: new AbortController().signal });
        return performance.now() - began;
      };
      await bare();
      await ours();
      const pairs: { ours: number; bare: number }[] = [];
      for (let round = 0; round < rounds; round++) {
        const pair = { bare: await bare(), ours: await ours() };
        pairs.push(pair);
        note(`${plan.count} tiles: ${pair.ours.toFixed(0)} ms against ${pair.bare.toFixed(0)} ms`);
      }
      const ratios = pairs.map((pair) => pair.ours / pair.bare);
      const perMegapixel = (side: 'ours' | 'bare'): string =>
        ((median(pairs.map((pair) => pair[side])) * 1e6) / (WIDTH * HEIGHT)).toFixed(0);
      return [
        {
          what: `The net “${net.name}” on a photo`,
          against: 'its bare ONNX session on the same tiles',
          value: median(ratios),
          unit: '×',
          must: { atMost: 1.15 },
          detail: `${perMegapixel('ours')} ms to ${perMegapixel('bare')} ms per megapixel`,
          rounds: ratios,
        },
      ];
    } finally {
      await own.close();
    }
  },
});

export const inference: Figure = createInferenceFigure(MODELS_FOLDER);
