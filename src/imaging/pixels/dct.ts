const C1 = Math.cos(Math.PI / 16) / 2;
const C2 = Math.cos((2 * Math.PI) / 16) / 2;
const C3 = Math.cos((3 * Math.PI) / 16) / 2;
const C4 = Math.cos((4 * Math.PI) / 16) / 2;
const C5 = Math.cos((5 * Math.PI) / 16) / 2;
const C6 = Math.cos((6 * Math.PI) / 16) / 2;
const C7 = Math.cos((7 * Math.PI) / 16) / 2;

export type Block = Float64Array<ArrayBuffer>;

/**
 * Orthonormal 8-point DCT-II of the 8 samples at `from`, `from + stride`, … of `source`, written to `at`, `at + stride`, … of `b`,
 * which may be the same array. Even/odd decomposition (W.-H. Chen, C. Smith, S. Fralick 1977): 22 multiplications.
 */
export function forward8(source: Block, from: number, b: Block, at: number, s: number): void {
  const x0 = source[from]!;
  const x1 = source[from + s]!;
  const x2 = source[from + 2 * s]!;
  const x3 = source[from + 3 * s]!;
  const x4 = source[from + 4 * s]!;
  const x5 = source[from + 5 * s]!;
  const x6 = source[from + 6 * s]!;
  const x7 = source[from + 7 * s]!;
  const s07 = x0 + x7;
  const s16 = x1 + x6;
  const s25 = x2 + x5;
  const s34 = x3 + x4;
  const d07 = x0 - x7;
  const d16 = x1 - x6;
  const d25 = x2 - x5;
  const d34 = x3 - x4;
  const e0 = s07 + s34;
  const e1 = s16 + s25;
  const e2 = s07 - s34;
  const e3 = s16 - s25;
  b[at] = C4 * (e0 + e1);
  b[at + 4 * s] = C4 * (e0 - e1);
  b[at + 2 * s] = C2 * e2 + C6 * e3;
  b[at + 6 * s] = C6 * e2 - C2 * e3;
  b[at + s] = C1 * d07 + C3 * d16 + C5 * d25 + C7 * d34;
  b[at + 3 * s] = C3 * d07 - C7 * d16 - C1 * d25 - C5 * d34;
  b[at + 5 * s] = C5 * d07 - C1 * d16 + C7 * d25 + C3 * d34;
  b[at + 7 * s] = C7 * d07 - C5 * d16 + C3 * d25 - C1 * d34;
}

/** The inverse of `forward8`, in place. */
export function inverse8(b: Block, at: number, s: number): void {
  const y0 = C4 * b[at]!;
  const y1 = b[at + s]!;
  const y2 = b[at + 2 * s]!;
  const y3 = b[at + 3 * s]!;
  const y4 = C4 * b[at + 4 * s]!;
  const y5 = b[at + 5 * s]!;
  const y6 = b[at + 6 * s]!;
  const y7 = b[at + 7 * s]!;
  const p = y0 + y4;
  const q = y0 - y4;
  const r = C2 * y2 + C6 * y6;
  const t = C6 * y2 - C2 * y6;
  const s07 = p + r;
  const s34 = p - r;
  const s16 = q + t;
  const s25 = q - t;
  const d07 = C1 * y1 + C3 * y3 + C5 * y5 + C7 * y7;
  const d16 = C3 * y1 - C7 * y3 - C1 * y5 - C5 * y7;
  const d25 = C5 * y1 - C1 * y3 + C7 * y5 + C3 * y7;
  const d34 = C7 * y1 - C5 * y3 + C3 * y5 - C1 * y7;
  b[at] = s07 + d07;
  b[at + 7 * s] = s07 - d07;
  b[at + s] = s16 + d16;
  b[at + 6 * s] = s16 - d16;
  b[at + 2 * s] = s25 + d25;
  b[at + 5 * s] = s25 - d25;
  b[at + 3 * s] = s34 + d34;
  b[at + 4 * s] = s34 - d34;
}

/** Orthonormal 8×8 DCT of 64 samples, row by row, in place. */
export function forwardDct(block: Block): void {
  for (let x = 0; x < 8; x++) forward8(block, x, block, x, 8);
  for (let y = 0; y < 64; y += 8) forward8(block, y, block, y, 1);
}

/** The inverse of `forwardDct`, in place. */
export function inverseDct(block: Block): void {
  for (let y = 0; y < 64; y += 8) inverse8(block, y, 1);
  for (let x = 0; x < 8; x++) inverse8(block, x, 8);
}
