import type { PictureNet, Quality } from './nets.ts';
import type { StepContext, StepOptions } from './pipeline.ts';
import { createRaster, type Raster, type RasterShape } from './raster.ts';
import { reducedCopy } from './reduced-copy.ts';

/**
 * The net has learned scratches of 1 to 5 pixels. On a larger scan the same scratch is wider, so it looks at reduced copies
 * as well, down to about so many pixels.
 */
const REDUCED_PIXELS = 1.5e6;
/** Of 255: a patch counts where it is all likelier than the one and somewhere likelier than the other. */
const NET = { low: 90, high: 153, least: 3 } as const;
const CLASSICAL = { low: 64, high: 128, least: 6 } as const;
/** Share of the picture that one patch may cover: what is larger has too little around it to be filled from, or is what the photo shows. */
const MOST_PATCH = 0.02;
/** Half the square of the top-hat, and how far damage stands out of a photo without grain, in 8-bit levels. */
const TOP_HAT = { radius: 3, level: 36, sigmas: 7 } as const;

/** By how much each copy is reduced that the net looks at, for a picture of so many pixels. */
export function looksFor({ width, height }: Pick<Raster, 'width' | 'height'>, quality: Quality): number[] {
  const deepest = Math.max(0, Math.ceil(Math.log2(Math.sqrt((width * height) / REDUCED_PIXELS))));
  const factors = Array.from({ length: deepest + 1 }, (_, i) => 2 ** i);
  return quality === 'FAST' ? factors.slice(-1) : factors;
}

/** Cost of finding damage, milliseconds per megapixel of the picture. */
export function costOfFinding(net: PictureNet | undefined, size: { width: number; height: number }, quality: Quality) {
  if (net === undefined) return 120;
  const passes = looksFor(size, quality).reduce((sum, factor) => sum + 1 / factor ** 2, 0);
  return net.cost * passes * (quality === 'BEST' ? 2 : 1);
}

/** What finding needs to know of the work it is a part of. */
export type FindContext = Pick<StepContext, 'measurements' | 'onProgress' | 'pixels' | 'signal'> & {
  readonly options: Pick<StepOptions, 'quality'>;
};

const plane = ({ width, height }: Pick<RasterShape, 'width' | 'height'>): Raster =>
  createRaster({ width, height, channels: 1, depth: 8 });

/** How likely each pixel is damaged, by the net, 0–255. */
async function askNet(net: PictureNet, source: Raster, context: FindContext): Promise<Raster> {
  const { signal, pixels, options, onProgress } = context;
  const quality = options.quality ?? 'BALANCED';
  const looks = looksFor(source, quality).flatMap((shrink) =>
    (quality === 'BEST' ? [false, true] : [false]).map((mirror) => ({ shrink, mirror })),
  );
  const total = looks.reduce((sum, { shrink }) => sum + 1 / shrink ** 2, 0);
  const groups = new Map<number, Raster[]>();
  let done = 0;
  for (const { shrink, mirror } of looks) {
    const share = 1 / shrink ** 2 / total;
    const looked = shrink === 1 && !mirror ? source : await reducedCopy(source, { shrink, mirror }, signal);
    const found = plane(looked);
    const before = done;
    await net.run(looked, found, {
      controls: {},
      signal,
      onProgress: (part) => onProgress(before + part * share),
    });
    done += share;
    const upright = mirror ? await reducedCopy(found, { mirror }, signal) : found;
    groups.set(shrink, [...(groups.get(shrink) ?? []), upright]);
  }
  const [only] = groups.get(1) ?? [];
  if (groups.size === 1 && only !== undefined && looks.length === 1) return only;
  const target = plane(source);
  const { width, height } = source;
  await pixels.run('mergeDamage', { groups: [...groups.values()], target }, { width, height, signal });
  return target;
}

/** The same without a net: what stands out of its surroundings and is narrow. */
async function standOut(source: Raster, { pixels, measurements, signal, onProgress }: FindContext): Promise<Raster> {
  const target = plane(source);
  const level = Math.max(TOP_HAT.level, TOP_HAT.sigmas * measurements.noise.luma);
  const { width, height } = source;
  await pixels.run(
    'topHat',
    { source, target, radius: TOP_HAT.radius, level },
    { width, height, tileWidth: 128, tileHeight: 128, signal, onProgress },
  );
  return target;
}

/**
 * Looks for scratches and dust.
 *
 * @returns a mask: grey, 8 bits, 255 where the picture is damaged, with a soft rim; undefined where it is nowhere.
 */
export async function findDamage(
  source: Raster,
  net: PictureNet | undefined,
  context: FindContext,
): Promise<{ mask: Raster; coverage: number } | undefined> {
  const { pixels, signal } = context;
  const { width, height } = source;
  const likely = net === undefined ? await standOut(source, context) : await askNet(net, source, context);
  const marked = plane(source);
  const limits = net === undefined ? CLASSICAL : NET;
  const whole = { width, height, tileWidth: width, tileHeight: height, signal };
  const most = MOST_PATCH * width * height;
  const [count = 0] = await pixels.run('hysteresis', { likely, target: marked, ...limits, most }, whole);
  if (count === 0) return undefined;
  // What was likely is not needed any more.
  const mask = likely;
  const radius = width * height > 2 * REDUCED_PIXELS ? 2 : 1;
  await pixels.run('growMask', { source: marked, target: mask, radius }, { width, height, signal });
  return { mask, coverage: count / (width * height) };
}
