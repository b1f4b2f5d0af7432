/** CIE Lab over sRGB with the white of D65, as OpenCV's float conversion has it (IEC 61966-2-1, CIE 15). */
const WHITE_X = 0.950456;
const WHITE_Z = 1.088754;
const EPSILON = 216 / 24_389;
const KAPPA = 24_389 / 27;

const STEPS = 4096;
const toLinear = (level: number): number => (level <= 0.040_45 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4);
const fromLinear = (light: number): number =>
  light <= 0.003_130_8 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055;
/** The curves are looked up: two powers a channel would be most of the time. The dark end is steep, so it is calculated. */
const LINEAR = Float32Array.from({ length: STEPS + 2 }, (_, i) => toLinear(i / STEPS));
const ENCODED = Float32Array.from({ length: STEPS + 2 }, (_, i) => fromLinear(i / STEPS));
const STEEP_BELOW = 0.02;

function looked(table: Float32Array, x: number): number {
  const at = Math.min(1, Math.max(0, x)) * STEPS;
  const i = Math.floor(at);
  return table[i]! + (table[i + 1]! - table[i]!) * (at - i);
}

const encoded = (light: number): number =>
  light < STEEP_BELOW ? fromLinear(Math.max(0, light)) : looked(ENCODED, light);

const lightnessOf = (y: number): number => (y > EPSILON ? 116 * Math.cbrt(y) - 16 : KAPPA * y);

/** L (0–100) of a colour, 0–1 each. */
export function lightness(r: number, g: number, b: number): number {
  return lightnessOf(0.212_671 * looked(LINEAR, r) + 0.715_16 * looked(LINEAR, g) + 0.072_169 * looked(LINEAR, b));
}

/** The level, 0–1, of the grey of this lightness. */
export function greyOf(l: number): number {
  return encoded(l > 8 ? ((l + 16) / 116) ** 3 : l / KAPPA);
}

/** Writes red, green and blue, 0–1 (beyond what sRGB can show they are cut off), to `out`. */
export function labToRgb(l: number, a: number, b: number, out: Float32Array): void {
  const fy = (l + 16) / 116;
  const y = l > 8 ? fy ** 3 : l / KAPPA;
  const x = WHITE_X * inverse(fy + a / 500);
  const z = WHITE_Z * inverse(fy - b / 200);
  out[0] = encoded(3.240_479 * x - 1.537_15 * y - 0.498_535 * z);
  out[1] = encoded(-0.969_256 * x + 1.875_991 * y + 0.041_556 * z);
  out[2] = encoded(0.055_648 * x - 0.204_043 * y + 1.057_311 * z);
}

const inverse = (f: number): number => (f ** 3 > EPSILON ? f ** 3 : (116 * f - 16) / KAPPA);
