import { ramp } from '../measure/tone.ts';
import type { Step } from '../pipeline.ts';
import { createRaster } from '../raster.ts';
import { STRENGTH_ZERO } from './strength-zero.ts';

/** Blur σ of the sharpest edges, pixels: from where a photo counts as soft. */
const FROM = 0.45;
const TO = 0.8;
/** Noise σ up to which sharpening does not bring out grain. */
const QUIET = 3;
const LEAST = 0.1;
/** Share of the mask that is added to a photo that is fully soft. */
const AMOUNT = 1.5;

/** A gentle unsharp mask for photos that are soft and clean, without halos. */
export const sharpen: Step = {
  name: 'sharpen',
  stage: 'FINISHING',
  plan({ sharpness: { blurSigma }, noise, jpeg }, { strength, upscale }) {
    if (strength === 0) return STRENGTH_ZERO;
    if (blurSigma === null) return { run: false, reason: 'There are no edges to judge the sharpness by.' };
    const blur = `its sharpest edges are blurred by σ ${blurSigma.toFixed(1)} px`;
    const share = ramp(blurSigma, FROM, TO);
    if (share < LEAST) return { run: false, reason: `Sharp enough: ${blur}.` };
    if (noise.luma > QUIET) return { run: false, reason: `Soft (${blur}), but sharpening would bring out the grain.` };
    if (jpeg.visible) return { run: false, reason: `Soft (${blur}), but sharpening would bring out the JPEG blocks.` };
    if (upscale > 1) return { run: false, reason: 'Enlarging sharpens already.' };
    return { run: true, strength: share * strength, weight: 90, reason: `Soft: ${blur}.` };
  },
  async run(source, { measurements, strength, pixels, signal, onProgress }) {
    const target = createRaster(source);
    const { width, height } = source;
    const sigma = Math.min(1.8, Math.max(0.8, measurements.sharpness.blurSigma ?? 1));
    await pixels.run(
      'sharpen',
      { source, target, sigma, amount: AMOUNT * strength, margin: 3 },
      { width, height, signal, onProgress },
    );
    return target;
  },
};
