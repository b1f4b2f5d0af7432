/**
 * Makes the sample photo: takes a clean photograph and lets it age, the same way every time.
 *
 *   node samples/age.ts samples/astronaut-original.png samples/astronaut.jpg
 *
 * Fade and warm cast → slight blur → scratches and dust → film grain → JPEG 70.
 */
import { argv } from 'node:process';
import sharp, { type Sharp } from 'sharp';

/** Mulberry32: small, seeded, good enough for grain. */
function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Standard normal, by Box and Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const between = (random: () => number, from: number, to: number): number => from + (to - from) * random();

/** Blacks at 0.16, whites at 0.82, a fifth less colour, and a warm cast. */
async function fade(file: string): Promise<Sharp> {
  const range = 0.82 - 0.16;
  const cast = [1, 0.95, 0.78];
  return sharp(file)
    .removeAlpha()
    .modulate({ saturation: 0.8 })
    .linear(
      cast.map((c) => range * c),
      cast.map((c) => 0.16 * 255 * c),
    )
    .blur(0.6);
}

function scratches(random: () => number, width: number, height: number): Buffer {
  const lines = Array.from({ length: 5 }, () => {
    let x = between(random, 0, width);
    let y = between(random, 0, height);
    let angle = between(random, 0, Math.PI);
    const points = Array.from({ length: 9 }, () => {
      angle += 0.12 * normal(random);
      x += 32 * Math.cos(angle);
      y += 32 * Math.sin(angle);
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    });
    const style = `stroke-width="${between(random, 0.7, 1.6).toFixed(2)}" opacity="${between(random, 0.5, 0.9).toFixed(2)}"`;
    return `<polyline fill="none" stroke="#ece4d4" ${style} points="${points.join(' ')}"/>`;
  });
  const dust = Array.from({ length: 40 }, () => {
    const at = `cx="${between(random, 0, width).toFixed(1)}" cy="${between(random, 0, height).toFixed(1)}"`;
    return `<circle ${at} r="${between(random, 0.5, 1.6).toFixed(2)}" fill="#f0e9dc" opacity="${between(random, 0.5, 0.9).toFixed(2)}"/>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${lines.join('')}${dust.join('')}</svg>`;
  return Buffer.from(svg);
}

/** Grain common to all channels, a little larger than a pixel, with some colour in it. */
function addGrain(pixels: Uint8Array, width: number, random: () => number): void {
  const sigma = 9;
  const white = Float32Array.from({ length: pixels.length / 3 }, () => normal(random));
  for (let i = 0; i < white.length; i++) {
    const right = white[i % width === width - 1 ? i : i + 1] ?? 0;
    const below = white[i + width] ?? 0;
    const grain = 0.9 * ((white[i] ?? 0) + 0.5 * (right + below)) * (sigma / Math.sqrt(1.5));
    for (let c = 0; c < 3; c++) {
      const level = (pixels[3 * i + c] ?? 0) + grain + 0.35 * sigma * normal(random);
      pixels[3 * i + c] = Math.min(255, Math.max(0, Math.round(level)));
    }
  }
}

const [from, to] = argv.slice(2);
if (from === undefined || to === undefined) throw new Error('Usage: node samples/age.ts <photo> <aged.jpg>');

const random = randomSource(1969);
const { width, height } = await sharp(from).metadata();
const faded = await (await fade(from)).png().toBuffer();
const scratched = await sharp(faded)
  .composite([{ input: scratches(random, width, height) }])
  .removeAlpha()
  .raw()
  .toBuffer();
addGrain(scratched, width, random);
await sharp(scratched, { raw: { width, height, channels: 3 } })
  .jpeg({ quality: 70 })
  .toFile(to);
