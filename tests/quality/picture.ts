/** One channel, row by row. */
export type Plane = Float32Array<ArrayBuffer>;

/** A picture as three planes of sRGB levels 0–1. Grey has three equal planes. Nothing here writes into its input. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly planes: readonly [Plane, Plane, Plane];
}

/** A plane made from each plane. */
export function mapPlanes(
  { width, height, planes: [r, g, b] }: Picture,
  change: (plane: Plane, channel: number) => Plane,
): Picture {
  return { width, height, planes: [change(r, 0), change(g, 1), change(b, 2)] };
}

/** Luma by Rec. 601, of the levels as they are. */
export function luma({ planes: [r, g, b] }: Picture): Plane {
  return r.map((red, i) => 0.299 * red + 0.587 * g[i]! + 0.114 * b[i]!);
}

/** Interleaved 8-bit RGB, as a file holds it: clipped and rounded. */
export function toBytes({ width, height, planes }: Picture): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(width * height * 3);
  planes.forEach((plane, channel) => {
    for (let i = 0; i < plane.length; i++) {
      bytes[3 * i + channel] = Math.min(255, Math.max(0, Math.round(plane[i]! * 255)));
    }
  });
  return bytes;
}

/** From interleaved samples; `channels` 1 or 2 is grey, a last even channel is alpha and is left out. `top` is the largest sample. */
export function fromSamples(
  samples: ArrayLike<number>,
  { width, height, channels }: { width: number; height: number; channels: number },
  top = 255,
): Picture {
  const plane = (channel: number): Plane => {
    const levels = new Float32Array(width * height);
    for (let i = 0; i < levels.length; i++) levels[i] = samples[i * channels + channel]! / top;
    return levels;
  };
  const grey = channels < 3;
  return { width, height, planes: [plane(0), plane(grey ? 0 : 1), plane(grey ? 0 : 2)] };
}

/** The picture after it has been through 8 bits. */
export function rounded(picture: Picture): Picture {
  return fromSamples(toBytes(picture), { ...picture, channels: 3 });
}
