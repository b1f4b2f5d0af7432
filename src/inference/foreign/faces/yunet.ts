import type { Face, Point } from './face.ts';

/** Pixels from one place of a grid to the next, for its three grids. */
const STRIDES = [8, 16, 32] as const;
const PARTS = { cls: 1, obj: 1, bbox: 4, kps: 10 } as const;
type Part = keyof typeof PARTS;

/** How sure it must be; and of two boxes that share so much of their area, the likelier one counts. */
const SCORE = 0.7;
const OVERLAP = 0.3;
/** Boxes that are compared with each other: thousands are no faces. */
const MOST = 2000;

const nameOf = (part: Part, stride: number): string => `${part}_${stride}`;
/** Names of the outputs of a YuNet file, e.g. `kps_16`. */
export const YUNET_OUTPUTS: readonly string[] = STRIDES.flatMap((stride) =>
  (Object.keys(PARTS) as Part[]).map((part) => nameOf(part, stride)),
);

const unit = (value: number): number => Math.min(1, Math.max(0, value));

/**
 * The faces in what YuNet answers of a square picture of `side` pixels, the likeliest first (Wu, Peng, Yu: YuNet: A tiny
 * millisecond-level face detector, 2023; conventions as in OpenCV's FaceDetectorYN). For each place of a grid: √(cls · obj) is the
 * score, `bbox` the centre from the place in strides and the logarithms of the sides, `kps` five points from the place.
 *
 * @returns undefined where an output is missing or not of the length that belongs to `side`.
 */
export function facesOfYunet(
  outputs: Readonly<Record<string, Float32Array | undefined>>,
  side: number,
): Face[] | undefined {
  const found: Face[] = [];
  for (const stride of STRIDES) {
    const columns = Math.floor(side / stride);
    const [cls, obj, bbox, kps] = (Object.keys(PARTS) as Part[]).map((part) => {
      const values = outputs[nameOf(part, stride)];
      return values?.length === columns * columns * PARTS[part] ? values : undefined;
    });
    if (cls === undefined || obj === undefined || bbox === undefined || kps === undefined) return undefined;
    for (let i = 0; i < cls.length; i++) {
      const score = Math.sqrt(unit(cls[i]!) * unit(obj[i]!));
      if (!(score >= SCORE)) continue;
      const [column, row] = [i % columns, Math.floor(i / columns)];
      const at = (n: number): Point => ({
        x: (column + kps[i * 10 + 2 * n]!) * stride,
        y: (row + kps[i * 10 + 2 * n + 1]!) * stride,
      });
      const width = Math.exp(bbox[i * 4 + 2]!) * stride;
      const height = Math.exp(bbox[i * 4 + 3]!) * stride;
      found.push({
        score,
        x: (column + bbox[i * 4]!) * stride - width / 2,
        y: (row + bbox[i * 4 + 1]!) * stride - height / 2,
        width,
        height,
        points: [at(0), at(1), at(2), at(3), at(4)],
      });
    }
  }
  return likeliest(found.filter((face) => isSound(face, side)));
}

/** No face is much larger than the picture, and every number of it is one. */
function isSound({ x, y, width, height, points }: Face, side: number): boolean {
  const numbers = [x, y, width, height, ...points.flatMap((point) => [point.x, point.y])];
  return numbers.every(Number.isFinite) && width > 0 && height > 0 && Math.max(width, height) <= 2 * side;
}

/** Of boxes that lie on each other only the likeliest stays. */
function likeliest(faces: readonly Face[]): Face[] {
  const kept: Face[] = [];
  for (const face of faces.toSorted((a, b) => b.score - a.score).slice(0, MOST)) {
    if (kept.every((other) => shared(face, other) <= OVERLAP)) kept.push(face);
  }
  return kept;
}

/** What two boxes have in common, of what both cover. */
function shared(a: Face, b: Face): number {
  const width = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
  const common = Math.max(0, width) * Math.max(0, height);
  return common / (a.width * a.height + b.width * b.height - common);
}
