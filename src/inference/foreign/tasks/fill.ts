import type { Tile } from '../../../imaging/pixels/tile.ts';
import { createRaster, type Raster } from '../../../imaging/raster.ts';
import { gatherColours } from '../../gather.ts';
import { scatter } from '../../scatter.ts';
import { boxesOf, type Box } from '../boxes.ts';
import { RunFailure, type Planes } from '../model.ts';
import type { RunTask } from './task.ts';

/** A window of the model's size with the box in its middle, inside the picture where that is large enough. */
function windowRound({ x0, y0, x1, y1 }: Box, size: number, { width, height }: Raster): Tile {
  const start = (from: number, to: number, length: number): number =>
    Math.max(0, Math.min(length - size, Math.round((from + to - size) / 2)));
  const x = start(x0, x1, width);
  const y = start(y0, y1, height);
  return { x0: x, y0: y, x1: x + size, y1: y + size };
}

/** The mask of a window: 1 = to be filled, and nothing beyond the picture. */
function maskPlane(left: Uint8Array, { width, height }: Raster, window: Tile): Planes {
  const side = window.x1 - window.x0;
  const data = new Float32Array(side * side);
  for (let y = window.y0; y < Math.min(window.y1, height); y++) {
    for (let x = window.x0; x < Math.min(window.x1, width); x++) {
      if (left[y * width + x]! > 0) data[(y - window.y0) * side + x - window.x0] = 1;
    }
  }
  return { data, planes: 1, width: side, height: side };
}

/** The stretches of masked pixels in a box, each of one row. */
function* runsOf(left: Uint8Array, box: Box, width: number): Generator<Tile> {
  for (let y = box.y0; y < box.y1; y++) {
    for (let x = box.x0; x < box.x1; x++) {
      if (left[y * width + x] === 0) continue;
      const x0 = x;
      while (x < box.x1 && left[y * width + x]! > 0) x++;
      yield { x0, y0: y, x1: x, y1: y + 1 };
    }
  }
}

/** False where the boxes before it have filled everything: boxes may overlap. */
const anyLeft = (left: Uint8Array, box: Box, width: number): boolean => runsOf(left, box, width).next().done !== true;

/**
 * Filling what a mask covers: a window round each piece of damage, with a margin of `tile.overlap` to see what is round it, and of the
 * answer only the masked pixels. A later window sees what an earlier one has filled. The convention of LaMa (github.com/advimman/lama).
 */
export const runFill: RunTask = async ({ manifest, infer }, { source, mask, options, onTile }) => {
  if (mask === undefined) {
    throw new RunFailure(
      'BAD_USER_INPUT',
      'This model fills what a mask covers: send a mask of the damage with the photo.',
    );
  }
  const { size, overlap } = manifest.tile;
  const target = createRaster(source);
  target.data.set(source.data);
  const left = mask.slice();
  const boxes = boxesOf(mask, source.width, source.height, size - 2 * overlap);
  for (const [done, box] of boxes.entries()) {
    await onTile(done, boxes.length);
    if (!anyLeft(left, box, source.width)) continue;
    const window = windowRound(box, size, source);
    const image = { data: new Float32Array(3 * size * size), planes: 3, width: size, height: size };
    gatherColours(target, window, image.data, [0, 1]);
    const { data: planes } = await infer(image, maskPlane(left, source, window));
    const answer = { planes, width: size, height: size, count: 3 };
    for (const area of runsOf(left, box, source.width)) {
      scatter({
        answer,
        origin: { x: window.x0, y: window.y0 },
        area,
        target,
        source,
        share: options.strength,
        range: [0, 1],
      });
      left.fill(0, area.y0 * source.width + area.x0, area.y0 * source.width + area.x1);
    }
  }
  return target;
};
