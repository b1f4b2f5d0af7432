import { ramp } from '../measure/tone.ts';
import type { Step } from '../pipeline.ts';
import { createRaster } from '../raster.ts';

/** σ in 8-bit levels at which grain begins to disturb, and from which it is removed fully. */
const FROM = 2.2;
const TO = 4;
/** Evidence under which the photo is better left alone. */
const LEAST = 0.1;

/** Takes out grain and sensor noise where there is some, by the spectrum that was measured. */
export const denoise: Step = {
  name: 'denoise',
  stage: 'DENOISING',
  plan({ noise }, { strength }) {
    const evidence = noise.confidence * ramp(noise.luma, FROM, TO);
    const sigma = noise.luma.toFixed(1);
    if (evidence < LEAST || strength === 0) {
      const reason =
        noise.luma < FROM
          ? `The photo is clean: noise σ ${sigma} of 255.`
          : `What looks like noise (σ ${sigma} of 255) is probably texture.`;
      return { run: false, reason };
    }
    return {
      run: true,
      strength: evidence * strength,
      weight: 550,
      reason: `Grain was measured: noise σ ${sigma} of 255.`,
    };
  },
  async run(source, { measurements, strength, options, pixels, signal, onProgress }) {
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
  },
};
