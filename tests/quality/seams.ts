import { QUALITIES, type Nets, type PictureNet } from '../../src/imaging/nets.ts';
import { createRaster, type Raster } from '../../src/imaging/raster.ts';
import { toBytes, type Picture } from './picture.ts';

/** How far a picture that went through a net in tiles is from the same picture in one piece. */
export interface Seam {
  readonly net: string;
  readonly task: 'restore' | 'upscale';
  /** The largest difference of any sample, 8-bit levels. */
  readonly difference: number;
}

function asRaster(picture: Picture): Raster {
  const raster = createRaster({ width: picture.width, height: picture.height, channels: 3, depth: 8 });
  raster.data.set(toBytes(picture));
  return raster;
}

async function through(net: PictureNet, source: Raster): Promise<Raster> {
  const { width, height } = source;
  const target = createRaster({ ...source, width: width * net.scale, height: height * net.scale });
  const controls = Object.fromEntries(net.controls.map((name) => [name, 0.3]));
  await net.run(source, target, { controls, signal: new AbortController().signal });
  return target;
}

/** Every restoring and enlarging net on one picture, in the service's tiles and in one piece. */
export async function measureSeams(tiled: Nets, whole: Nets, picture: Picture): Promise<readonly Seam[]> {
  const source = asRaster(picture);
  const seams = new Map<string, Seam>();
  for (const task of ['restore', 'upscale'] as const) {
    for (const quality of QUALITIES) {
      const [ours, reference] = [tiled.find(task, quality), whole.find(task, quality)];
      if (ours === undefined || reference?.name !== ours.name || seams.has(ours.name)) continue;
      const [pieces, one] = [await through(ours, source), await through(reference, source)];
      let difference = 0;
      for (let i = 0; i < one.data.length; i++) {
        difference = Math.max(difference, Math.abs(pieces.data[i]! - one.data[i]!));
      }
      seams.set(ours.name, { net: ours.name, task, difference });
    }
  }
  return [...seams.values()];
}
