/** Of a picture that shows no trace of JPEG compression. */
export const JPEG_NO_TRACE = 100;

/** The luminance table of ITU-T T.81, annex K.1, row by row. */
const LUMINANCE = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
  87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
  72, 92, 95, 98, 112, 100, 103, 99,
];

/** Quantisation steps at a quality of 1–100, scaled as libjpeg does (`jpeg_quality_scaling`). */
export function luminanceTable(quality: number): number[] {
  const scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  return LUMINANCE.map((step) => Math.min(255, Math.max(1, Math.floor((step * scale + 50) / 100))));
}

/**
 * The quality at which libjpeg's table is closest to this one, by the mean distance of its logarithms: encoders with tables of
 * their own have a scale of their own, too.
 *
 * @param table 64 luminance steps, row by row.
 */
export function qualityOf(table: readonly number[]): number {
  let best = { quality: JPEG_NO_TRACE, distance: Infinity };
  for (let quality = JPEG_NO_TRACE; quality >= 1; quality--) {
    const steps = luminanceTable(quality);
    const distance = steps.reduce((sum, step, k) => sum + Math.abs(Math.log((table[k] ?? 1) / step)), 0);
    if (distance < best.distance) best = { quality, distance };
  }
  return best.quality;
}
