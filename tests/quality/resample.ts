import { mapPlanes, type Picture, type Plane } from './picture.ts';

/** A kernel of interpolation and how far it reaches, in pixels of the coarser grid. */
interface Kernel {
  readonly weight: (distance: number) => number;
  readonly support: number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

/** Keys' cubic convolution with a = −0.5 (as Pillow's BICUBIC). */
export const BICUBIC: Kernel = {
  support: 2,
  weight(distance) {
    const x = Math.abs(distance);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
  },
};

/** Lanczos with three lobes. */
export const LANCZOS: Kernel = { support: 3, weight: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) };

/** One direction: `lines` lines of `from` samples become lines of `to`. Reducing widens the kernel, so nothing aliases. */
function resampleLines(
  plane: Plane,
  { lines, from, to, step, stride }: { lines: number; from: number; to: number; step: number; stride: number },
  place: { step: number; stride: number },
  { weight, support }: Kernel,
): Plane {
  const out = new Float32Array(lines * to);
  const ratio = from / to;
  const widening = Math.max(1, ratio);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * ratio - 0.5;
    const first = Math.ceil(centre - support * widening);
    const last = Math.floor(centre + support * widening);
    const taps: { at: number; share: number }[] = [];
    let sum = 0;
    for (let at = first; at <= last; at++) {
      const share = weight((at - centre) / widening);
      sum += share;
      taps.push({ at: Math.min(from - 1, Math.max(0, at)), share });
    }
    for (let line = 0; line < lines; line++) {
      let level = 0;
      for (const { at, share } of taps) level += share * plane[line * stride + at * step]!;
      out[line * place.stride + i * place.step] = level / sum;
    }
  }
  return out;
}

/** The picture at another size; levels may overshoot 0–1 and are clipped when they go into a file. */
export function resample(picture: Picture, width: number, height: number, kernel: Kernel): Picture {
  const across = { lines: picture.height, from: picture.width, to: width, step: 1, stride: picture.width };
  const down = { lines: width, from: picture.height, to: height, step: width, stride: 1 };
  const { planes } = mapPlanes(picture, (plane) => {
    const wide = resampleLines(plane, across, { step: 1, stride: width }, kernel);
    return resampleLines(wide, down, { step: width, stride: 1 }, kernel);
  });
  return { width, height, planes };
}
