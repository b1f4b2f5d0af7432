import { createRaster } from '../../../imaging/raster.ts';
import { toAligned } from '../faces/align.ts';
import type { Face } from '../faces/face.ts';
import { isSameFace } from '../faces/same-face.ts';
import { cutOut, putBack } from '../faces/sample.ts';
import { RunFailure, type LoadedModel, type Planes } from '../model.ts';
import type { RunTask } from './task.ts';

/** A face of fewer pixels tells nothing that a model could go by. */
const SMALLEST = 16;
/** Of a crowd, the largest. */
const MOST = 50;

const isLargeEnough = ({ width, height }: Face): boolean => Math.min(width, height) >= SMALLEST;

/** Undefined where the answer is no picture, or no longer this face. */
async function restored({ infer }: LoadedModel, face: Planes): Promise<Planes | undefined> {
  try {
    const answer = await infer(face);
    return isSameFace(face, answer) ? answer : undefined;
  } catch (error) {
    if (error instanceof RunFailure && error.code === 'NO_PICTURE') return undefined;
    throw error;
  }
}

/**
 * Faces: each is turned upright and brought to the model's size, worked on, and put back where it was; nothing else changes. A face that
 * comes back as another one stays as it was. The convention of GFPGAN (github.com/TencentARC/GFPGAN) and facefusion
 * (github.com/facefusion/facefusion).
 */
export const runFace: RunTask = async (model, { source, options, onTile }) => {
  const { manifest, detector } = model;
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
  let usable = 0;
  for (const [done, face] of faces.entries()) {
    await onTile(1 + done, 1 + faces.length);
    const to = toAligned(face, side);
    if (to === undefined) continue;
    // From the target: the square of one face may reach into its neighbour, which has been worked on by now.
    const answer = await restored(model, cutOut(target, to, side, 'edge'));
    if (answer === undefined) continue;
    usable++;
    putBack(target, answer, to, options.strength);
  }
  if (usable === 0) throw new RunFailure('NO_PICTURE', 'answered no face, or another one than it was given');
  return target;
};
