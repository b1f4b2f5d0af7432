import type { TypedTensor } from 'onnxruntime-node';
import type { Manifest } from '../manifest.ts';
import { colourPlanes, outputPlanes } from './facts.ts';
import type { FailureCode, RunOptions } from './protocol.ts';
import type { Detector } from './faces/detector.ts';
import type { OpenSession } from './session.ts';

/** Why a picture could not be done. */
export class RunFailure extends Error {
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string) {
    super(message);
    this.name = 'RunFailure';
    this.code = code;
  }
}

/** A manifest that says what the answers of its model are in, or of which that was found out. */
export type Settled = Manifest & { readonly outputRange?: readonly [number, number] | undefined };

/** One plane after the other, each row by row. */
export interface Planes {
  readonly data: Float32Array;
  readonly planes: number;
  readonly width: number;
  readonly height: number;
}

/** A model that is loaded, seen as a function from planes to planes: its layout, range and order of colours are dealt with. */
export interface LoadedModel {
  readonly manifest: Manifest;
  /** What finds faces for a model that restores them. */
  readonly detector?: Detector | undefined;
  /**
   * @param image colours in the order red, green, blue (or one plane), 0–1.
   * @param mask one plane of the same size, 0 or 1.
   * @returns the same kind of planes; 0–1, but for colourise: a and b of CIE Lab.
   * @throws RunFailure PROVIDER_REJECTED for an answer of another size, NO_PICTURE for values that are no numbers.
   */
  infer(image: Planes, mask?: Planes): Promise<Planes>;
}

/** A card or its driver, which may be there again the next time. */
const DEVICE = /\b(cuda|cudnn|cublas|dml|dxgi|d3d12|coreml)/i;
const OUT_OF_MEMORY = /alloc|memory|would require more than/i;

/** How planes lie in a tensor: the place of value `i` of plane `p`. */
function strides({ layout }: Manifest, planes: number, size: number): { plane: number; step: number } {
  return layout === 'NCHW' ? { plane: size, step: 1 } : { plane: 1, step: planes };
}

/** The shape of a tensor of so many planes. */
export function shapeOf({ layout }: Manifest, planes: number, width: number, height: number): number[] {
  return layout === 'NCHW' ? [1, planes, height, width] : [1, height, width, planes];
}

/** The place of a plane of colour in the tensor. */
const placeOf = ({ colours }: Manifest, plane: number, planes: number): number =>
  colours === 'BGR' && planes === 3 ? 2 - plane : plane;

/** What a model is given for planes of 0–1: its own range, order of colours and layout. */
export function toTensorData(manifest: Manifest, { data, planes, width, height }: Planes): Float32Array {
  const [low, high] = manifest.range;
  const size = width * height;
  if (manifest.layout === 'NCHW' && low === 0 && high === 1 && manifest.colours !== 'BGR') return data;
  const out = new Float32Array(data.length);
  const { plane, step } = strides(manifest, planes, size);
  for (let p = 0; p < planes; p++) {
    const from = p * size;
    const start = placeOf(manifest, p, planes) * plane;
    for (let i = 0; i < size; i++) out[start + i * step] = low + (high - low) * data[from + i]!;
  }
  return out;
}

/** Every value is looked at. @throws RunFailure NO_PICTURE. */
function checkNumbers(data: Float32Array): void {
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value - value !== 0)
      throw new RunFailure('NO_PICTURE', 'answered values that are no numbers (NaN or infinite)');
  }
}

function fromTensorData(manifest: Settled, data: Float32Array, shape: Omit<Planes, 'data'>): Planes {
  const { planes, width, height } = shape;
  const size = width * height;
  checkNumbers(data);
  const [low, high] = manifest.task === 'colourise' ? [0, 1] : (manifest.outputRange ?? manifest.range);
  const { plane, step } = strides(manifest, planes, size);
  const out = new Float32Array(data.length);
  const scale = 1 / (high - low);
  for (let p = 0; p < planes; p++) {
    const to = p * size;
    const start = placeOf(manifest, p, planes) * plane;
    for (let i = 0; i < size; i++) out[to + i] = (data[start + i * step]! - low) * scale;
  }
  return { planes, width, height, data: out };
}

/** Wraps an open session for one job. */
export function createLoadedModel(
  open: OpenSession,
  manifest: Settled,
  { parameters }: Pick<RunOptions, 'parameters'>,
  detector?: Detector,
): LoadedModel {
  const { runtime, session } = open;
  const planes = outputPlanes(manifest);

  const extra = Object.entries(manifest.parameters).map(([name, { type, shape, default: fallback }]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const value = parameters[name] ?? fallback;
    const data = { float32: Float32Array, float64: Float64Array }[type as 'float32' | 'float64'];
    const values =
      data === undefined ? new BigInt64Array(count).fill(BigInt(Math.round(value))) : new data(count).fill(value);
    return [name, new runtime.Tensor(type, values as Float32Array, shape) as TypedTensor<'float32'>] as const;
  });

  return {
    manifest,
    detector,
    async infer(image, mask) {
      const { width, height } = image;
      const tensor = (of: Float32Array, count: number, w: number, h: number) =>
        new runtime.Tensor('float32', of, shapeOf(manifest, count, w, h));
      const feeds: Record<string, TypedTensor<'float32'>> = {
        [manifest.inputs.image]: tensor(toTensorData(manifest, image), colourPlanes(manifest), width, height),
        ...Object.fromEntries(extra),
      };
      if (mask !== undefined && manifest.inputs.mask !== undefined) {
        feeds[manifest.inputs.mask] = tensor(mask.data, 1, width, height);
      }
      const shape = { planes, width: width * manifest.scale, height: height * manifest.scale };
      // Made beforehand, so that an answer of another size fails before the runtime takes memory for it.
      const room = tensor(new Float32Array(planes * shape.width * shape.height), planes, shape.width, shape.height);
      const name = manifest.outputs.image;
      const answer = await session.run(feeds, { [name]: room }).catch((error: unknown) => {
        throw explained(error);
      });
      const data = answer[name]?.data;
      if (!(data instanceof Float32Array) || data.length !== room.data.length) {
        throw new RunFailure(
          'PROVIDER_REJECTED',
          'The model answered a picture of another size or type than its manifest says: correct `scale` or `multiple`, or export it with answers of the type float32.',
        );
      }
      return fromTensorData(manifest, data, shape);
    },
  };
}

/** The first line of what went wrong, without where things lie on this machine: whoever sees the list of models reads it. */
export function lineOf(error: unknown): string {
  const [line = ''] = (error as Error).message.split('\n');
  return line.replaceAll(/(?:\/[^\s/'"]+)+\//g, '').slice(0, 300);
}

/** What the runtime throws, in a sentence. */
export function explained(error: unknown): RunFailure {
  const text = (error as Error).message;
  if (/computed output shape|pre-allocated/.test(text)) {
    return new RunFailure(
      'PROVIDER_REJECTED',
      'The model answered a picture of another size than its manifest says: correct `scale` or `multiple`.',
    );
  }
  if (OUT_OF_MEMORY.test(text)) {
    return new RunFailure(
      'INSUFFICIENT_MEMORY',
      'The model wants more memory than it may have here. Choose a smaller `tile.size` in its manifest.',
    );
  }
  if (DEVICE.test(text)) {
    return new RunFailure('PROVIDER_UNAVAILABLE', `The device did not run the model (${lineOf(error)}).`);
  }
  return new RunFailure(
    'PROVIDER_REJECTED',
    `The model cannot be run on this picture (${lineOf(error)}): correct \`multiple\` or \`tile.size\`, or export it again.`,
  );
}
