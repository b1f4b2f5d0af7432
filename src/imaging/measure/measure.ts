import type { PixelPool } from '../pixels/pool.ts';
import type { Raster } from '../raster.ts';
import { jpegFrom, sharpnessFrom } from './edges.ts';
import type { Measurements } from './measurements.ts';
import { noiseFrom } from './noise.ts';
import { addHistograms, isMonochrome, toneFrom } from './tone.ts';

/** Edges are looked at in patches of this side, at full resolution. */
const PATCH = 192;
/** Share of the shorter side that is left out all around for the tones: frames and torn borders. */
const BORDER = 0.05;

/**
 * Measures what is wrong with a picture, in the pool's threads; about 0.1 s for 12 megapixels.
 * Give it the picture at full resolution: noise, blur and the JPEG grid are gone from a reduced copy.
 * Throws the signal's reason when it fires.
 */
export async function measure(
  source: Raster,
  { pixels, signal }: { pixels: PixelPool; signal: AbortSignal },
): Promise<Measurements> {
  const { width, height } = source;
  const shorter = Math.min(width, height);
  const cell = shorter < 64 ? 1 : Math.max(shorter < 256 ? 2 : 4, Math.round(shorter / 400));
  const [noise, histograms, edges] = await Promise.all([
    pixels.run('measureNoise', { source }, { width, height, tileWidth: width, tileHeight: height, signal }),
    pixels.run(
      'histogram',
      { source, cell, border: Math.round(shorter * BORDER) },
      { width, height, tileWidth: 512 * cell, tileHeight: 64 * cell, signal },
    ),
    pixels.run('measureEdges', { source }, { width, height, tileWidth: PATCH, tileHeight: PATCH, signal }),
  ]);
  const histogram = addHistograms(histograms);
  const monochrome = isMonochrome(histogram);
  return {
    width,
    height,
    monochrome,
    noise: noiseFrom(noise[0] ?? { luma: [], chroma: [], busier: [] }),
    tone: toneFrom(histogram, monochrome),
    sharpness: sharpnessFrom(edges),
    jpeg: jpegFrom(edges),
  };
}
