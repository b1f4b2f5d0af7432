import { QUALITIES, type Nets, type PictureNet } from '../../src/imaging/nets.ts';
import { createRaster, type Raster } from '../../src/imaging/raster.ts';
import { toBytes, type Picture } from './picture.ts';

/** How far a picture that went through a net in tiles is from the same picture in one piece. */
export interface Seam {
  readonly net: string;
  /** The largest difference of any sample, 8-bit levels; for a net that finds damage, the F1 of the two masks. */
  readonly value: number;
  readonly unit: 'levels' | 'F1';
}

function asRaster(picture: Picture): Raster {
  const raster = createRaster({ width: picture.width, height: picture.height, channels: 3, depth: 8 });
  raster.data.set(toBytes(picture));
  return raster;
}

async function through(net: PictureNet, source: Raster): Promise<Raster> {
  const { width, height } = source;
  const channels = net.task === 'mask' ? 1 : source.channels;
  const target = createRaster({ ...source, channels, width: width * net.scale, height: height * net.scale });
  const controls = Object.fromEntries(net.controls.map((name) => [name, 0.3]));
  await net.run(source, target, { controls, signal: new AbortController().signal });
  return target;
}

function largestDifference(a: Raster, b: Raster): number {
  let difference = 0;
  for (let i = 0; i < b.data.length; i++) difference = Math.max(difference, Math.abs(a.data[i]! - b.data[i]!));
  return difference;
}

/** Of two masks, cut at ½: 1 where they mark the same pixels; NaN where they mark none, which says nothing. */
function agreement(a: Raster, b: Raster): number {
  let [both, marked] = [0, 0];
  for (let i = 0; i < b.data.length; i++) {
    const [first, second] = [a.data[i]! >= 128 ? 1 : 0, b.data[i]! >= 128 ? 1 : 0];
    both += first & second;
    marked += first + second;
  }
  return (2 * both) / marked;
}

/** Every net on one picture, in the service's tiles and in one piece. */
export async function measureSeams(tiled: Nets, whole: Nets, picture: Picture): Promise<readonly Seam[]> {
  const source = asRaster(picture);
  const seams = new Map<string, Seam>();
  for (const task of ['restore', 'upscale', 'mask'] as const) {
    for (const quality of QUALITIES) {
      const [ours, reference] = [tiled.find(task, quality), whole.find(task, quality)];
      if (ours === undefined || reference?.name !== ours.name || seams.has(ours.name)) continue;
      const [pieces, one] = [await through(ours, source), await through(reference, source)];
      const seam =
        task === 'mask'
          ? ({ value: agreement(pieces, one), unit: 'F1' } as const)
          : ({ value: largestDifference(pieces, one), unit: 'levels' } as const);
      seams.set(ours.name, { net: ours.name, ...seam });
    }
  }
  return [...seams.values()];
}
