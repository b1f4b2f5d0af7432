import { createRaster } from '../../imaging/raster.ts';
import type { Manifest } from '../manifest.ts';
import type { Detector } from './faces/detector.ts';
import { colourPlanes } from './facts.ts';
import { createLoadedModel, RunFailure, type Planes, type Settled } from './model.ts';
import { probeSide } from './plan.ts';
import { Refused } from './refused.ts';
import type { OpenSession } from './session.ts';

/** Levels of 0–1. The slope is slight, so that the answer is known beforehand, and there, since a picture has one. */
const GREY = 0.5;
const SLOPE = 8 / 255;
/** A grey picture whose answer is brighter than this on the whole is answered in 0–255, not in 0–1. */
const WHITE_ABOVE = 1.5;

function greyPicture(side: number, planes: 1 | 3): Planes {
  const size = side * side;
  const data = new Float32Array(planes * size);
  for (let i = 0; i < data.length; i++) {
    const at = i % size;
    data[i] = GREY + SLOPE * (((at % side) + Math.floor(at / side)) / (2 * side) - 0.5);
  }
  return { data, planes, width: side, height: side };
}

/** A hole in the middle, with as much round it as there is of it. */
function hole(side: number): Planes {
  const data = new Float32Array(side * side);
  const [from, to] = [Math.floor(side / 4), Math.floor((side * 3) / 4)];
  for (let y = from; y < to; y++) data.fill(1, y * side + from, y * side + to);
  return { data, planes: 1, width: side, height: side };
}

const mean = ({ data }: Planes): number => data.reduce((sum, value) => sum + value, 0) / data.length;

/** A refusal is of the model itself; what is short here, such as memory, may be otherwise the next time. */
function refusalOf(error: unknown, side: number, whose: string): unknown {
  if (!(error instanceof RunFailure)) return error;
  const { code, message } = error;
  const picture = `a plain grey picture of ${side} × ${side} pixels`;
  if (code === 'NO_PICTURE')
    return new Refused(`${whose}${message} to ${picture}: export it again, not in half precision`);
  if (code === 'PROVIDER_REJECTED') return new Refused(`${whose}fails on ${picture}. ${message.replace(/\.$/, '')}`);
  if (code !== 'INSUFFICIENT_MEMORY') return error;
  return new RunFailure(code, `The model wants more memory for ${picture} than it may have here: use a smaller model.`);
}

/** There is no face in what it is given: it must only answer. */
async function tryDetector(detector: Detector, side: number): Promise<void> {
  const picture = createRaster({ width: side, height: side, channels: 1, depth: 8 });
  picture.data.fill(128);
  await detector.find(picture).catch((error: unknown) => {
    throw refusalOf(error, detector.side, `cannot be used: its detector ${detector.file} `);
  });
}

/**
 * Gives a model the smallest picture it takes, so that one which cannot answer is found out before a photo is sent to it. To answer
 * one colour is no fault where nearly one was given. A model for faces is given the picture as if it were a face.
 *
 * @returns the manifest, with what was found out where it leaves the range of the answers open.
 * @throws Refused; RunFailure.
 */
export async function probe(session: OpenSession, manifest: Manifest, detector?: Detector): Promise<Settled> {
  const side = probeSide(manifest);
  if (detector !== undefined) await tryDetector(detector, side);
  const isOpen = manifest.outputRange === 'detect';
  const raw = { ...manifest, outputRange: isOpen ? [0, 1] : manifest.outputRange } as Settled;
  const { infer } = createLoadedModel(session, raw, { parameters: {} });
  const image = greyPicture(side, colourPlanes(manifest));
  const answer = await infer(image, manifest.task === 'fill' ? hole(side) : undefined).catch((error: unknown) => {
    throw refusalOf(error, side, '');
  });
  return isOpen ? { ...manifest, outputRange: [0, mean(answer) > WHITE_ABOVE ? 255 : 1] } : raw;
}
