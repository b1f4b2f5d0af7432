import type { PictureNet, Quality } from '../nets.ts';
import type { Step, StepContext } from '../pipeline.ts';
import { createRaster, hasAlpha, type Raster } from '../raster.ts';

/** Unsharp mask after the enlargement, per factor of two: σ in pixels of the result, and how much of it is added. */
const SIGMA = 1.2;
const AMOUNT = 0.5;

async function byLanczos(
  source: Raster,
  factor: 2 | 4,
  { pixels, signal, onProgress }: Pick<StepContext, 'pixels' | 'signal' | 'onProgress'>,
): Promise<Raster> {
  const width = source.width * factor;
  const height = source.height * factor;
  const target = createRaster({ ...source, width, height });
  const sigma = (SIGMA * factor) / 2;
  await pixels.run('upscale', { source, target, factor, sigma, amount: AMOUNT }, { width, height, signal, onProgress });
  return target;
}

interface Turn {
  readonly across: boolean;
  readonly down: boolean;
}

/**
 * How the picture is turned in each pass of a net; the result is the mean of all (Timofte, Rothe, Van Gool: Seven ways to improve
 * example-based single image super resolution, 2016, section 3.4).
 */
const TURNS: Readonly<Record<Quality, readonly Turn[]>> = {
  FAST: [],
  BALANCED: [{ across: true, down: false }],
  BEST: [
    { across: true, down: false },
    { across: false, down: true },
    { across: true, down: true },
  ],
};

/** The net makes the colours; transparency, which it does not know, is enlarged as without it. */
async function byNet(net: PictureNet, source: Raster, context: StepContext): Promise<Raster> {
  const { signal, pixels, options, onProgress } = context;
  const factor = net.scale === 4 ? 4 : 2;
  const large = { ...source, width: source.width * factor, height: source.height * factor };
  const turns = TURNS[options.quality ?? 'BALANCED'];
  const target = hasAlpha(source)
    ? await byLanczos(source, factor, { ...context, onProgress: () => {} })
    : createRaster(large);
  const part = (pass: number) => (done: number) => onProgress((pass + done) / (turns.length + 1));
  await net.run(source, target, { controls: {}, signal, onProgress: part(0) });
  if (turns.length === 0) return target;
  const { width, height } = source;
  const [turned, made] = [createRaster(source), createRaster(large)];
  for (const [index, turn] of turns.entries()) {
    await pixels.run('mixTurned', { source, target: turned, ...turn, share: 1 }, { width, height, signal });
    await net.run(turned, made, { controls: {}, signal, onProgress: part(index + 1) });
    const share = 1 / (index + 2);
    const area = { width: large.width, height: large.height, tileWidth: 1024, signal };
    await pixels.run('mixTurned', { source: made, target, ...turn, share }, area);
  }
  return target;
}

/** Makes each side two or four times as long: with a net where there is one, else Lanczos-3 and a mask against its softness. */
export const upscale: Step = {
  name: 'upscale',
  stage: 'UPSCALING',
  plan(_measurements, { upscale: factor, quality = 'BALANCED' }, nets) {
    if (factor === 1) return { run: false, reason: 'No enlargement was asked for.' };
    const net = nets.find('upscale', quality);
    // ×4 is twice ×2, the second time on four times as many pixels.
    const cost = net && (net.scale === factor ? net.cost : net.cost * 5);
    return {
      run: true,
      strength: 1,
      weight: cost === undefined ? 150 * factor ** 2 : cost * (TURNS[quality].length + 1),
      reason: `Enlarged ×${factor}, as asked for.`,
      net,
    };
  },
  async run(source, context) {
    const { options, net, onProgress } = context;
    const factor = options.upscale;
    if (factor === 1) return source;
    if (net === undefined || net.scale === 1 || net.scale > factor) return byLanczos(source, factor, context);
    if (net.scale === factor) return byNet(net, source, context);
    const twice = await byNet(net, source, { ...context, onProgress: (done) => onProgress(done / 5) });
    return byNet(net, twice, { ...context, onProgress: (done) => onProgress((1 + 4 * done) / 5) });
  },
};
