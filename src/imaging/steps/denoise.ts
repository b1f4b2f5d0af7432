import { ramp } from '../measure/tone.ts';
import type { Measurements } from '../measure/measurements.ts';
import type { PictureNet } from '../nets.ts';
import type { Step, StepContext } from '../pipeline.ts';
import { cloneRaster, createRaster, type Raster } from '../raster.ts';

/** σ in 8-bit levels at which grain begins to disturb, and from which it is removed fully. */
const FROM = 2.2;
const TO = 4;
/** Evidence under which the photo is better left alone. */
const LEAST = 0.1;
/** What the control planes of the nets mean: σ of the grain in 8-bit levels that makes a 1. */
const FULL_NOISE = 50;
/** The control for compression as long as only its traces are measured and not the quality: (100 − 50) / 100. */
const VISIBLE_JPEG = 0.5;

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
    noise: grainOf(measurements) * Math.min(1, noise.luma / FULL_NOISE),
    jpeg: jpeg.visible ? VISIBLE_JPEG : 0,
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

/** Takes out grain, sensor noise and JPEG artefacts where there are some: with a net where there is one. */
export const denoise: Step = {
  name: 'denoise',
  stage: 'DENOISING',
  plan(measurements, { strength, quality = 'BALANCED' }, nets) {
    const { noise, jpeg } = measurements;
    const net = nets.find('restore', quality);
    const grain = grainOf(measurements);
    const evidence = net !== undefined && jpeg.visible ? 1 : grain;
    const sigma = noise.luma.toFixed(1);
    if (evidence < LEAST || strength === 0) {
      const reason =
        noise.luma < FROM
          ? `The photo is clean: noise σ ${sigma} of 255.`
          : `What looks like noise (σ ${sigma} of 255) is probably texture.`;
      return { run: false, reason };
    }
    const seen = [
      ...(grain < LEAST ? [] : [`Grain was measured: noise σ ${sigma} of 255.`]),
      ...(net !== undefined && jpeg.visible ? ['Strong JPEG compression has left its traces.'] : []),
    ];
    return {
      run: true,
      strength: evidence * strength,
      weight: net?.cost ?? 550,
      reason: seen.join(' '),
    };
  },
  async run(source, context) {
    const net = context.nets.find('restore', context.options.quality ?? 'BALANCED');
    return net === undefined ? shrink(source, context) : askNet(net, source, context);
  },
};
