import type { TypedTensor } from 'onnxruntime-node';
import type { Raster } from '../../../imaging/raster.ts';
import type { Manifest } from '../../manifest.ts';
import { explained, RunFailure, shapeOf, toTensorData } from '../model.ts';
import type { OpenSession } from '../session.ts';
import type { Face } from './face.ts';
import { cutOut } from './sample.ts';
import { facesOfYunet, YUNET_OUTPUTS } from './yunet.ts';

/** Finds faces. */
export interface Detector {
  /** The name of its file. */
  readonly file: string;
  /** Of the square that it looks at. */
  readonly side: number;
  /**
   * The faces of a picture, in its pixels, the likeliest first.
   *
   * @throws RunFailure PROVIDER_REJECTED for answers that are not those of a detector.
   */
  find(source: Raster): Promise<Face[]>;
}

/** Wraps an open session: the whole picture is looked at, reduced to the model's square, and black beyond its edges. */
export function createDetector({ runtime, session }: OpenSession, manifest: Manifest): Detector {
  const side = manifest.tile.size;
  return {
    file: manifest.file,
    side,
    async find(source) {
      const scale = side / Math.max(source.width, source.height);
      const image = cutOut(source, { a: scale, b: 0, dx: 0, dy: 0 }, side, 'black');
      const shape = shapeOf(manifest, 3, side, side);
      const feeds = { [manifest.inputs.image]: new runtime.Tensor('float32', toTensorData(manifest, image), shape) };
      const answers = await session.run(feeds, [...YUNET_OUTPUTS]).catch((error: unknown) => {
        throw explained(error);
      });
      const outputs = Object.fromEntries(
        YUNET_OUTPUTS.map((name) => [name, (answers[name] as TypedTensor<'float32'> | undefined)?.data]),
      );
      const faces = facesOfYunet(outputs, side);
      if (faces === undefined) {
        throw new RunFailure(
          'PROVIDER_REJECTED',
          'The detector of faces answered something else than YuNet does: name another one as `detector`.',
        );
      }
      return faces.map((face) => ({
        score: face.score,
        x: face.x / scale,
        y: face.y / scale,
        width: face.width / scale,
        height: face.height / scale,
        points: face.points.map(({ x, y }) => ({ x: x / scale, y: y / scale })) as unknown as Face['points'],
      }));
    },
  };
}
