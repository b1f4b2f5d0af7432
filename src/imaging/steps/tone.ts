import type { Measurements } from '../measure/measurements.ts';
import type { Step } from '../pipeline.ts';
import { colourChannels, createRaster, maxSample, type Depth } from '../raster.ts';
import { STRENGTH_ZERO } from './strength-zero.ts';

/** Where the black and the white point of a faded photo are brought to, 0–1. */
const BLACK = 0.03;
const WHITE = 0.96;
/** So far from full black and full white the line begins to bend. */
const KNEE = 0.01;
/** No channel is stretched more than this against the least stretched one: what is missing there may be the scene. */
const MOST_CAST = 1.6;
/** Faded without a cast may also be a photo that is low in contrast by nature, so that only part of it is done. */
const WITHOUT_CAST = 0.4;
/** The same for photos in one hue, where a stretch shifts no colour. */
const ONE_HUE = 0.7;
const LEAST = 0.25;

/** Brings a faded photo back to full contrast and takes out the cast that the dyes left. */
export const tone: Step = {
  name: 'tone',
  stage: 'COLOURING',
  plan(measurements, { strength }) {
    if (strength === 0) return STRENGTH_ZERO;
    const { fade, cast, luminance } = measurements.tone;
    const share = evidence(measurements);
    const span = `blacks at ${percent(luminance.black)}, whites at ${percent(luminance.white)}`;
    if (share < LEAST) return { run: false, reason: `No fading that is worth a change: ${span}.` };
    const reason = measurements.monochrome
      ? `The photo has faded (${span}); it is in one hue and stays so.`
      : cast > 0.3 * fade
        ? `The photo has faded (${span}) and its colours have shifted.`
        : `The photo has faded (${span}).`;
    return { run: true, strength: share * strength, weight: 20, reason };
  },
  async run(source, { measurements, strength, pixels, signal, onProgress }) {
    const target = createRaster(source);
    const tables = toneTables(measurements, source.depth, colourChannels(source), strength);
    const { width, height } = source;
    await pixels.run('curve', { source, target, tables }, { width, height, tileWidth: 1024, signal, onProgress });
    return target;
  },
};

function evidence({ tone: { fade, cast }, monochrome }: Measurements): number {
  return monochrome ? fade * ONE_HUE : fade * WITHOUT_CAST + cast * (1 - WITHOUT_CAST);
}

/** One table per channel; the same for all where the photo is in one hue. */
function toneTables(
  { tone: { luminance, channels }, monochrome }: Measurements,
  depth: Depth,
  colours: 1 | 3,
  strength: number,
): Uint16Array<SharedArrayBuffer>[] {
  const common = monochrome || colours === 1;
  const ranges = Array.from({ length: colours }, (_, c) => (common ? luminance : (channels[c] ?? luminance)));
  const narrowest = Math.max(...ranges.map(({ black, white }) => white - black)) / MOST_CAST;
  return ranges.map(({ black, white }) => table(depth, black, Math.max(white, black + narrowest), strength));
}

/**
 * A straight line, as fading is one: whatever bends it takes drawing away from the shadows or the lights. It ends softly just before
 * full black and full white, where it would reach them, so that nothing clips.
 */
function table(depth: Depth, black: number, white: number, strength: number): Uint16Array<SharedArrayBuffer> {
  const top = maxSample({ depth });
  const slope = (WHITE - BLACK) / (white - black);
  const out = new Uint16Array(new SharedArrayBuffer((top + 1) * 2));
  for (let i = 0; i <= top; i++) {
    const level = i / top;
    const stretched = BLACK + (level - black) * slope;
    out[i] = Math.round(softly(level + strength * (stretched - level)) * top);
  }
  return out;
}

/** As it is between the knees, with a slope that falls to nothing beyond them. */
function softly(level: number): number {
  if (level < KNEE) return KNEE * Math.exp((level - KNEE) / KNEE);
  return level > 1 - KNEE ? 1 - KNEE * Math.exp((1 - KNEE - level) / KNEE) : level;
}

function percent(level: number): string {
  return `${Math.round(level * 100)} %`;
}
