import { colourChannels, createRaster } from '../../../imaging/raster.ts';
import { windowOf } from '../../../imaging/tiles.ts';
import { gatherColours } from '../../gather.ts';
import { scatter, type Answer } from '../../scatter.ts';
import { createSeams } from '../../seams.ts';
import { carryAlpha } from '../alpha.ts';
import { colourPlanes } from '../facts.ts';
import type { LoadedModel, Planes } from '../model.ts';
import { planFor } from '../plan.ts';
import type { RunTask } from './task.ts';

/** A model of one plane is given the colours one after the other. */
async function answerOf({ manifest, infer }: LoadedModel, image: Planes, colours: 1 | 3): Promise<Answer> {
  const { data, width, height } = image;
  if (colourPlanes(manifest) === 3) {
    const { data: planes, ...size } = await infer(image);
    return { planes, width: size.width, height: size.height, count: 3 };
  }
  const area = width * height;
  const large = area * manifest.scale ** 2;
  const planes = new Float32Array(large * colours);
  for (let c = 0; c < colours; c++) {
    const one = await infer({ data: data.slice(c * area, (c + 1) * area), planes: 1, width, height });
    planes.set(one.data, c * large);
  }
  return { planes, width: width * manifest.scale, height: height * manifest.scale, count: colours };
}

/**
 * Restoring and enlarging: tile by tile over the whole picture, feathered into each other. Real-ESRGAN, Swin2SR, SwinIR, SCUNet, FBCNN and
 * whatever else makes a picture of a picture.
 */
export const runPicture: RunTask = async (model, { source, options, onTile }) => {
  const { scale } = model.manifest;
  const target = createRaster({ ...source, width: source.width * scale, height: source.height * scale });
  carryAlpha(source, target, scale);
  const plan = planFor(source, model.manifest);
  const colours = colourChannels(source);
  const seams = createSeams(plan, scale, colourPlanes(model.manifest) === 3 ? 3 : colours);
  const width = plan.columns.size;
  const height = plan.rows.size;
  for (let index = 0; index < plan.count; index++) {
    await onTile(index, plan.count);
    const window = windowOf(plan, index);
    const image = { data: new Float32Array(3 * width * height), planes: 3, width, height };
    gatherColours(source, window, image.data, [0, 1]);
    const answer = await answerOf(model, image, colours);
    const area = seams.blend(index, answer);
    const origin = { x: window.x0 * scale, y: window.y0 * scale };
    // An enlargement has no source of its own size to be mixed with.
    const share = scale === 1 ? options.strength : 1;
    scatter({ answer, origin, area, target, source, share, range: [0, 1] });
  }
  return target;
};
