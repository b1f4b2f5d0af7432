import { PATCH } from '../pixels/measure-edges.ts';
import type { PixelPool } from '../pixels/pool.ts';
import type { Raster } from '../raster.ts';
import type { NoiseSample } from '../pixels/measure-noise.ts';
import { sharpnessFrom } from './edges.ts';
import { jpegFrom } from './jpeg.ts';
import type { Measurements } from './measurements.ts';
import { noiseFrom } from './noise.ts';
import { addHistograms, isMonochrome, toneFrom } from './tone.ts';

/** Share of the shorter side that is left out all around for the tones: frames and torn borders. */
const BORDER = 0.05;

export interface MeasureOptions {
  readonly pixels: PixelPool;
  readonly signal: AbortSignal;
  /** JPEG quality by the tables of the file the picture came from (`fileQuality`), 1–100; null or left out = not a JPEG. */
  readonly fileQuality?: number | null;
}

const NOTHING: NoiseSample = { luma: [], chroma: [], busier: [] };

/**
 * Measures what is wrong with a picture, in the pool's threads; about 0.1 s for 12 megapixels.
 * Give it the picture at full resolution: noise, blur and the JPEG grid are gone from a reduced copy.
 * Throws the signal's reason when it fires.
 */
export async function measure(
  source: Raster,
  { pixels, signal, fileQuality = null }: MeasureOptions,
): Promise<Measurements> {
  const { width, height } = source;
  const whole = { width, height, tileWidth: width, tileHeight: height, signal };
  const [noise, half, blocks, tones, patches] = await Promise.all([
    pixels.run('measureNoise', { source }, whole),
    pixels.run('measureNoise', { source, reduce: 2 }, whole),
    pixels.run('measureJpeg', { source }, whole),
    measureTone(source, { pixels, signal }),
    pixels.run('measureEdges', { source }, { width, height, tileWidth: PATCH, tileHeight: PATCH, signal }),
  ]);
  const edges = patches.filter((patch) => patch !== undefined);
  const jpeg = jpegFrom(edges, blocks[0], fileQuality);
  return {
    width,
    height,
    ...tones,
    noise: noiseFrom(noise[0] ?? NOTHING, half[0] ?? NOTHING, jpeg.quality),
    sharpness: sharpnessFrom(edges),
    jpeg,
  };
}

/** The tones alone, which a reduced copy shows as well. Throws the signal's reason. */
export async function measureTone(
  source: Raster,
  { pixels, signal }: Pick<MeasureOptions, 'pixels' | 'signal'>,
): Promise<Pick<Measurements, 'tone' | 'monochrome'>> {
  const { width, height } = source;
  const shorter = Math.min(width, height);
  const cell = shorter < 64 ? 1 : Math.max(shorter < 256 ? 2 : 4, Math.round(shorter / 400));
  const histograms = await pixels.run(
    'histogram',
    { source, cell, border: Math.round(shorter * BORDER) },
    { width, height, tileWidth: 512 * cell, tileHeight: 64 * cell, signal },
  );
  const histogram = addHistograms(histograms);
  const monochrome = isMonochrome(histogram);
  return { tone: toneFrom(histogram, monochrome), monochrome };
}
