import sharp, { type Sharp } from 'sharp';
import { openImage } from './decode.ts';

/** A stored picture and its format, as `inspectImage` names it. */
export interface Side {
  readonly path: string;
  readonly format: string;
}

/** Enough for a large screen. */
const MAX_HEIGHT = 2160;
const MAX_WIDTH = 16_000;
const DIVIDER = 4;
const WHITE = { r: 255, g: 255, b: 255 };
const QUALITY = 90;

async function aspect(image: Sharp): Promise<{ width: number; height: number }> {
  const { width, height, autoOrient } = await image.metadata();
  return autoOrient ?? { width, height };
}

async function render(image: Sharp, width: number, height: number) {
  const { data, info } = await image
    .clone()
    .resize(width, height, { fit: 'fill' })
    .flatten({ background: WHITE })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  return { input: data, raw: { width: info.width, height: info.height, channels: info.channels } };
}

/**
 * Writes two pictures side by side as a JPEG: upright, in sRGB, at the height of the taller one (at most 2,160 pixels),
 * with a thin white divider between them.
 *
 * @param options.path the file to write.
 * @throws AppError for a BMP that cannot be read, sharp's own error for another file; the reason of `signal`.
 */
export async function writeComparison(options: {
  before: Side;
  after: Side;
  path: string;
  signal: AbortSignal;
}): Promise<{ width: number; height: number }> {
  const { signal } = options;
  const images = await Promise.all(
    [options.before, options.after].map(({ path, format }) => openImage(path, format, { signal })),
  );
  const sizes = await Promise.all(images.map(aspect));
  const ratio = sizes.reduce((sum, { width, height }) => sum + width / height, 0);
  const tallest = Math.max(...sizes.map(({ height }) => height));
  const height = Math.max(1, Math.round(Math.min(tallest, MAX_HEIGHT, (MAX_WIDTH - DIVIDER) / ratio)));

  const layers = [];
  let left = 0;
  for (const [index, image] of images.entries()) {
    signal.throwIfAborted();
    const { width = 1, height: own = 1 } = sizes[index] ?? {};
    const layer = await render(image, Math.max(1, Math.round((width / own) * height)), height);
    layers.push({ ...layer, left, top: 0 });
    left += layer.raw.width + DIVIDER;
  }
  signal.throwIfAborted();
  const width = left - DIVIDER;
  await sharp({ create: { width, height, channels: 3, background: WHITE } })
    .composite(layers)
    .jpeg({ quality: QUALITY, chromaSubsampling: '4:4:4' })
    .toFile(options.path);
  return { width, height };
}
