import type { PictureNet, Quality } from '../nets.ts';
import type { Step, StepContext } from '../pipeline.ts';
import { createRaster, hasAlpha, type Raster } from '../raster.ts';

/** Unsharp mask after the enlargement, per factor of two: σ in pixels of the result, and how much of it is added. */
const SIGMA = 1.2;
const AMOUNT = 0.5;
/** Milliseconds per megapixel of the result. */
const COST_OF_LANCZOS = 150;

type Factor = 2 | 4;

/** @param strength of the mask; 0 is the plain enlargement. */
async function byLanczos(
  source: Raster,
  factor: Factor,
  strength: number,
  { pixels, signal, onProgress }: Pick<StepContext, 'pixels' | 'signal' | 'onProgress'>,
): Promise<Raster> {
  const width = source.width * factor;
  const height = source.height * factor;
  const target = createRaster({ ...source, width, height });
  const input = { source, target, factor, sigma: (SIGMA * factor) / 2, amount: AMOUNT * strength };
  await pixels.run('upscale', input, { width, height, signal, onProgress });
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
    ? await byLanczos(source, factor, 1, { ...context, onProgress: () => {} })
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

/** ×4 is twice ×2 where the net makes ×2, the second time on four times as many pixels. */
async function byNetWhole(net: PictureNet, source: Raster, factor: Factor, context: StepContext): Promise<Raster> {
  if (net.scale === factor) return byNet(net, source, context);
  const { onProgress } = context;
  const twice = await byNet(net, source, { ...context, onProgress: (done) => onProgress(done / 5) });
  return byNet(net, twice, { ...context, onProgress: (done) => onProgress((1 + 4 * done) / 5) });
}

/** As `byNetWhole`, mixed with the plain enlargement. */
async function byNetPartly(net: PictureNet, source: Raster, factor: Factor, context: StepContext): Promise<Raster> {
  const { strength, options, pixels, signal, onProgress } = context;
  const costs = { net: costOfNet(net, factor, options.quality), plain: costOfLanczos(factor) };
  const share = costs.net / (costs.net + costs.plain);
  const made = await byNetWhole(net, source, factor, { ...context, onProgress: (done) => onProgress(done * share) });
  const rest = (done: number): void => onProgress(share + (1 - share) * done);
  const plain = await byLanczos(source, factor, 0, { ...context, onProgress: rest });
  const { width, height } = made;
  // In its place, since a third picture of this size would be much memory.
  const mixture = { a: plain, b: made, target: made, share: strength };
  await pixels.run('mix', mixture, { width, height, tileWidth: 1024, signal });
  return made;
}

/** Milliseconds per megapixel of the source. */
const costOfLanczos = (factor: Factor): number => COST_OF_LANCZOS * factor ** 2;

/** The same of a net with all its passes. */
function costOfNet({ scale, cost }: PictureNet, factor: Factor, quality: Quality = 'BALANCED'): number {
  return (scale === factor ? cost : cost * 5) * (TURNS[quality].length + 1);
}

/**
 * Makes each side two or four times as long: with a net where there is one, else Lanczos-3 and a mask against its softness. The
 * strength says how much of that is in the result; the rest is Lanczos-3 alone.
 */
export const upscale: Step = {
  name: 'upscale',
  stage: 'UPSCALING',
  plan(_measurements, { upscale: factor, strength, quality = 'BALANCED' }, nets) {
    if (factor === 1) return { run: false, reason: 'No enlargement was asked for.' };
    const reason = `Enlarged ×${factor}, as asked for.`;
    const found = strength === 0 ? undefined : nets.find('upscale', quality);
    const net = found === undefined || found.scale === 1 || found.scale > factor ? undefined : found;
    if (net === undefined) return { run: true, strength, weight: costOfLanczos(factor), reason };
    const weight = costOfNet(net, factor, quality) + (strength === 1 ? 0 : costOfLanczos(factor));
    return { run: true, strength, weight, reason, net };
  },
  async run(source, context) {
    const { options, net, strength } = context;
    const factor = options.upscale;
    if (factor === 1) return source;
    if (net === undefined) return byLanczos(source, factor, strength, context);
    return (strength === 1 ? byNetWhole : byNetPartly)(net, source, factor, context);
  },
};
