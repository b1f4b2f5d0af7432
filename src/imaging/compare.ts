import sharp, { type OverlayOptions, type Sharp } from 'sharp';
import { metadataOf } from './company.ts';
import { openImage } from './decode.ts';
import { mostChanged, type Region } from './most-changed.ts';
import { writePicture } from './write.ts';

/** A stored picture and its format, as `inspectImage` names it. */
export interface Side {
  readonly path: string;
  readonly format: string;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/** Both together: enough for a large screen. */
const SCREEN = { width: 3840, height: 2160 };
/** Wider pictures are larger on a common screen when one stands above the other. */
const WIDE = 1.8;
const DIVIDER = 4;
const WHITE = { r: 255, g: 255, b: 255 };
const BLACK = { r: 0, g: 0, b: 0 };
const QUALITY = 90;
/** A picture shown smaller than this share of its size hides what happened to its grain. */
const REDUCED = 0.8;
/** Height of a detail over its width, at most. */
const DETAIL_SHAPE = 0.5;

/** How large a picture is when it is shown upright. */
export async function uprightSize(image: Sharp): Promise<Size> {
  const { width, height, autoOrient } = await metadataOf(image);
  return autoOrient ?? { width, height };
}

/** Pixels that stand somewhere in the whole. */
interface Layer extends OverlayOptions {
  readonly input: Buffer;
  readonly raw: { width: number; height: number; channels: 1 | 2 | 3 | 4 };
}

async function layer(image: Sharp, left: number, top: number): Promise<Layer> {
  const { data, info } = await image
    .flatten({ background: WHITE })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  return { input: data, raw: { width, height, channels }, left, top };
}

/** The same part of a picture, in the pixels of the one that it is compared with. */
function detail(image: Sharp, own: Size, size: Size, part: Region): Sharp {
  const same = own.width === size.width && own.height === size.height;
  const fitted = same ? image.clone() : image.clone().resize(size.width, size.height, { fit: 'fill' });
  return fitted.extract(part);
}

/** The outline of a rectangle, as four bars within it. */
function outline({ left, top, width, height }: Region, line: number, background: typeof WHITE): OverlayOptions[] {
  const bars = [
    [left, top, width, line],
    [left, top + height - line, width, line],
    [left, top, line, height],
    [left + width - line, top, line, height],
  ] as const;
  return bars.map(([x, y, w, h]) => ({
    input: { create: { width: Math.max(1, w), height: Math.max(1, h), channels: 3, background } },
    left: Math.max(0, x),
    top: Math.max(0, y),
  }));
}

/** Where a part of the whole lies on a smaller copy of it, light within dark, so that it shows on any ground. */
function marker(part: Region, whole: Size, panel: Region): OverlayOptions[] {
  const [x, y] = [panel.width / whole.width, panel.height / whole.height];
  const left = Math.min(panel.width - 8, Math.round(part.left * x));
  const top = Math.min(panel.height - 8, Math.round(part.top * y));
  if (left < 0 || top < 0) return [];
  const outer = {
    left: panel.left + left,
    top: panel.top + top,
    width: Math.min(panel.width - left, Math.max(8, Math.round(part.width * x))),
    height: Math.min(panel.height - top, Math.max(8, Math.round(part.height * y))),
  };
  const inner = { left: outer.left + 1, top: outer.top + 1, width: outer.width - 2, height: outer.height - 2 };
  return [...outline(outer, 1, BLACK), ...outline(inner, 2, WHITE)];
}

/**
 * Writes two pictures as one JPEG for comparing: upright, in sRGB, both in the size of the larger one, before at the
 * left and after at the right of a thin white line, or before above after where they are wider than 1.8 times their height. They are made
 * smaller to fit 3,840 × 2,160 together; then the part that changed most stands below in full size, and a frame shows
 * where it is from.
 *
 * @param options.path the file to write.
 * @returns the size of that file.
 * @throws AppError for a BMP that cannot be read, sharp's own error for another file; the reason of `signal`.
 */
export async function writeComparison(options: {
  before: Side;
  after: Side;
  path: string;
  signal: AbortSignal;
}): Promise<Size> {
  const { signal } = options;
  const open = ({ path, format }: Side) => openImage(path, format, { signal });
  const [before, after] = [await open(options.before), await open(options.after)];
  const [old, now] = [await uprightSize(before), await uprightSize(after)];
  const whole = now.width * now.height >= old.width * old.height ? now : old;
  const stacked = whole.width / whole.height > WIDE;
  const room = {
    width: stacked ? SCREEN.width : SCREEN.width / 2,
    height: stacked ? SCREEN.height / 2 : SCREEN.height,
  };
  const scale = Math.min(1, room.width / whole.width, room.height / whole.height);
  const width = Math.max(1, Math.round(whole.width * scale));
  const height = Math.max(1, Math.round(whole.height * scale));
  const total = stacked
    ? { width, height: 2 * height + DIVIDER, x: 0, y: height + DIVIDER }
    : { width: 2 * width + DIVIDER, height, x: width + DIVIDER, y: 0 };
  const shown = (image: Sharp) => image.clone().resize(width, height, { fit: 'fill' });
  const panels = [await layer(shown(before), 0, 0), await layer(shown(after), total.x, total.y)] as const;
  const layers: OverlayOptions[] = [...panels];
  signal.throwIfAborted();
  if (scale < REDUCED) {
    const half = Math.max(1, Math.floor((total.width - DIVIDER) / 2));
    const size = {
      width: Math.min(half, whole.width),
      height: Math.min(whole.height, Math.round(half * DETAIL_SHAPE)),
    };
    const part = await mostChanged(panels[0], panels[1], whole, size);
    for (const { left = 0, top = 0 } of panels) layers.push(...marker(part, whole, { left, top, width, height }));
    const top = total.height + DIVIDER;
    layers.push(await layer(detail(before, old, whole, part), 0, top));
    signal.throwIfAborted();
    layers.push(await layer(detail(after, now, whole, part), total.width - half, top));
    total.height += DIVIDER + size.height;
  }
  signal.throwIfAborted();
  await writePicture(
    sharp({ create: { width: total.width, height: total.height, channels: 3, background: WHITE } })
      .composite(layers)
      .jpeg({ quality: QUALITY, chromaSubsampling: '4:4:4' }),
    options.path,
  );
  return { width: total.width, height: total.height };
}
