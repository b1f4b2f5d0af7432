import { gaussianBlur } from '../filters.ts';
import { luma, mapPlanes, type Picture, type Plane } from '../picture.ts';

const quantile = (sorted: Plane, share: number): number => sorted[Math.round(share * (sorted.length - 1))] ?? 0;

/** From a range of brightness below this the picture counts as faded. */
const FADED = 0.78;
const [LOW, HIGH] = [0.002, 0.998];

/**
 * A stretch of each channel, only where the brightness has lost range: 0.2 % of the samples at either end become black and
 * white. A picture of full range is left alone.
 */
export function gatedStretch(picture: Picture): Picture {
  const smooth = (plane: Plane): Plane => gaussianBlur(plane, picture, 1.5).toSorted();
  const light = smooth(luma(picture));
  if (quantile(light, HIGH) - quantile(light, LOW) > FADED) return picture;
  return mapPlanes(picture, (plane) => {
    const sorted = smooth(plane);
    const [black, white] = [quantile(sorted, LOW), quantile(sorted, HIGH)];
    const gain = 1 / Math.max(0.2, white - black);
    return plane.map((level) => (level - black) * gain);
  });
}
