import { collectGarbage } from './collect.ts';

export type Channels = 1 | 2 | 3 | 4;
export type Depth = 8 | 16;
export type Samples = Uint8Array<SharedArrayBuffer> | Uint16Array<SharedArrayBuffer>;

/**
 * A decoded picture: interleaved samples, row by row, sRGB or grey, over shared memory so that workers read and write
 * it without a copy. 1 = grey, 2 = grey + alpha, 3 = RGB, 4 = RGB + alpha; alpha is last and not premultiplied.
 */
export interface Raster {
  readonly data: Samples;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  readonly channels: Channels;
  /** Bits per sample; a sample runs from 0 to 255 or 65,535. */
  readonly depth: Depth;
}

/** A raster without its samples. */
export type RasterShape = Omit<Raster, 'data'>;

/**
 * V8 does not count shared memory and collects no garbage for it, so that rasters that nobody holds any more would pile up. Here
 * it is counted, and garbage is collected after so many bytes.
 */
const COLLECT_AFTER = 128e6;
let uncollected = 0;

/** An empty (all zero) raster. */
export function createRaster({ width, height, channels, depth }: RasterShape): Raster {
  const samples = width * height * channels;
  uncollected += (samples * depth) / 8;
  if (uncollected > COLLECT_AFTER) {
    uncollected = 0;
    collectGarbage();
  }
  const data =
    depth === 16 ? new Uint16Array(new SharedArrayBuffer(samples * 2)) : new Uint8Array(new SharedArrayBuffer(samples));
  return { data, width, height, channels, depth };
}

/** Bytes that are copied between two looks at the event loop, which a large picture would hold up. */
export const COPY_CHUNK = 2 * 1024 * 1024;

/** A copy, made in pieces, so that a large picture does not hold up the event loop. */
export async function cloneRaster(source: Raster): Promise<Raster> {
  const copy = createRaster(source);
  for (let at = 0; at < copy.data.length; at += COPY_CHUNK) {
    copy.data.set(source.data.subarray(at, at + COPY_CHUNK), at);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return copy;
}

/** How many of the channels are colour: 1 or 3. */
export function colourChannels({ channels }: Pick<Raster, 'channels'>): 1 | 3 {
  return channels >= 3 ? 3 : 1;
}

export function hasAlpha({ channels }: Pick<Raster, 'channels'>): boolean {
  return channels === 2 || channels === 4;
}

/** For each channel of `to` the one of `from` that says the same: the grey of a grey picture stands for every colour. */
export function channelsFrom(from: Pick<Raster, 'channels'>, to: Pick<Raster, 'channels'>): readonly number[] {
  return Array.from({ length: to.channels }, (_, c) =>
    from.channels === to.channels ? c : c < colourChannels(to) ? 0 : from.channels - 1,
  );
}

/** The largest sample value: 255 or 65,535. */
export function maxSample({ depth }: Pick<Raster, 'depth'>): number {
  return depth === 16 ? 65_535 : 255;
}
