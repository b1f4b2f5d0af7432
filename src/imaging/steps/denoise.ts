import { ramp } from '../measure/tone.ts';
import type { Measurements } from '../measure/measurements.ts';
import type { PictureNet } from '../nets.ts';
import type { Step, StepContext } from '../pipeline.ts';
import { cloneRaster, createRaster, type Raster } from '../raster.ts';
import { STRENGTH_ZERO } from './strength-zero.ts';

/** σ in 8-bit levels at which grain begins to disturb, and from which it is removed fully. */
const FROM = 2.2;
const TO = 4;
/** Evidence under which the photo is better left alone. */
const LEAST = 0.1;
/** What the control planes of the nets mean: σ of the grain in 8-bit levels that makes a 1. */
const FULL_NOISE = 50;
/** σ in 8-bit levels, and JPEG quality, from which a net is asked: less cannot be seen. */
const NET_FROM = { noise: 1.5, quality: 85 } as const;

/** The classical way, by the spectrum that was measured. */
async function shrink(source: Raster, { measurements, strength, options, pixels, signal, onProgress }: StepContext) {
  const target = createRaster(source);
  const { luma, chroma } = measurements.noise.spectrum;
  const share = options.strength;
  // The evidence lowers the thresholds; what the user asked for is a plain mixture with the original.
  const gain = share === 0 ? 0 : strength / share;
  const { width, height } = source;
  await pixels.run(
    'denoise',
    { source, target, luma, chroma, gain, share },
    { width, height, tileWidth: 512, signal, onProgress },
  );
  return target;
}

/** How sure it is that there is grain that disturbs, 0–1. */
const grainOf = ({ noise }: Measurements): number => noise.confidence * ramp(noise.luma, FROM, TO);

/** What the net is told, 0–1; what it does not know is left out. */
function controlsOf({ controls }: PictureNet, measurements: Measurements): Record<string, number> {
  const { noise, jpeg } = measurements;
  const all: Record<string, number> = {
    noise: Math.min(1, noise.sigma / FULL_NOISE),
    jpeg: (100 - jpeg.quality) / 100,
  };
  return Object.fromEntries(controls.flatMap((name) => (name in all ? [[name, all[name]!]] : [])));
}

async function askNet(net: PictureNet, source: Raster, context: StepContext): Promise<Raster> {
  const { measurements, options, signal, onProgress } = context;
  // With its alpha, which the net does not touch.
  const target = await cloneRaster(source);
  await net.run(source, target, {
    controls: controlsOf(net, measurements),
    share: options.strength,
    signal,
    onProgress,
  });
  return target;
}

interface Seen {
  /** 0–1: how surely there is something to take out. */
  readonly evidence: number;
  readonly reason: string;
}

const clean = ({ noise }: Measurements): string =>
  noise.luma < FROM
    ? `The photo is clean: noise σ ${noise.luma.toFixed(1)} of 255.`
    : `What looks like noise (σ ${noise.luma.toFixed(1)} of 255) is probably texture.`;

function seenPlainly(measurements: Measurements): Seen {
  const evidence = grainOf(measurements);
  if (evidence < LEAST) return { evidence, reason: clean(measurements) };
  return { evidence, reason: `Grain was measured: noise σ ${measurements.noise.luma.toFixed(1)} of 255.` };
}

/** A net is told how much there is, and leaves alone what it is not told of: there is no need for doubt. */
function seenByNet(measurements: Measurements): Seen {
  const { noise, jpeg } = measurements;
  const seen = [
    ...(noise.sigma < NET_FROM.noise ? [] : [`Grain was measured: noise σ ${noise.sigma.toFixed(1)} of 255.`]),
    ...(jpeg.quality > NET_FROM.quality ? [] : [`JPEG compression at quality ${jpeg.quality} has left its traces.`]),
  ];
  return seen.length === 0 ? { evidence: 0, reason: clean(measurements) } : { evidence: 1, reason: seen.join(' ') };
}

/** Takes out grain, sensor noise and JPEG artefacts where there are some: with a net where there is one. */
export const denoise: Step = {
  name: 'denoise',
  stage: 'DENOISING',
  plan(measurements, { strength, quality = 'BALANCED' }, nets) {
    if (strength === 0) return STRENGTH_ZERO;
    const net = nets.find('restore', quality);
    const seen = net === undefined ? seenPlainly(measurements) : seenByNet(measurements);
    if (seen.evidence < LEAST) return { run: false, reason: seen.reason };
    return { run: true, strength: seen.evidence * strength, weight: net?.cost ?? 550, reason: seen.reason, net };
  },
  async run(source, context) {
    const { net } = context;
    return net === undefined ? shrink(source, context) : askNet(net, source, context);
  },
};
