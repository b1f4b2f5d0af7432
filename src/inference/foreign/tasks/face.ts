import { createRaster } from '../../../imaging/raster.ts';
import { toAligned } from '../faces/align.ts';
import type { Face } from '../faces/face.ts';
import { cutOut, putBack } from '../faces/sample.ts';
import { RunFailure } from '../model.ts';
import type { RunTask } from './task.ts';

/** A face of fewer pixels tells nothing that a model could go by. */
const SMALLEST = 16;
/** Of a crowd, the largest. */
const MOST = 50;

const isLargeEnough = ({ width, height }: Face): boolean => Math.min(width, height) >= SMALLEST;

/**
 * Faces: each is turned upright and brought to the model's size, worked on, and put back where it was; nothing else changes. The
 * convention of GFPGAN (github.com/TencentARC/GFPGAN) and facefusion (github.com/facefusion/facefusion).
 */
export const runFace: RunTask = async ({ manifest, detector, infer }, { source, options, onTile }) => {
  if (detector === undefined) {
    throw new RunFailure('PROVIDER_REJECTED', 'A model for faces needs one that finds them: name it as `detector`.');
  }
  await onTile(0, 2);
  const found = (await detector.find(source)).filter(isLargeEnough);
  const faces = found.toSorted((a, b) => b.width * b.height - a.width * a.height).slice(0, MOST);
  if (faces.length === 0) throw new RunFailure('NOTHING_TO_DO', 'No face was found in the photo.');
  const target = createRaster(source);
  target.data.set(source.data);
  const side = manifest.tile.size;
  for (const [done, face] of faces.entries()) {
    await onTile(1 + done, 1 + faces.length);
    const to = toAligned(face, side);
    if (to === undefined) continue;
    putBack(target, await infer(cutOut(source, to, side, 'edge')), to, options.strength);
  }
  return target;
};
