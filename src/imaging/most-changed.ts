import sharp, { type Sharp } from 'sharp';

/** A part of a picture, in pixels. */
export interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Decoded pixels, 8 bits a sample. */
export interface Pixels {
  readonly input: Buffer;
  readonly raw: { readonly width: number; readonly height: number; readonly channels: 1 | 2 | 3 | 4 };
}

/** Pixels; what is coarser than this is tone, not structure. */
const COARSE = 4;
/** So that a mean difference of a fraction of a level still counts in 8 bits. */
const GAIN = 8;
/** Steps in which the place is sought, per side of the part. */
const STEPS = 4;

const grey = (image: Sharp) => image.toColourspace('b-w').raw({ depth: 'uchar' }).toBuffer();

/** How far each pixel stands from its surroundings, in grey. */
async function fineStructure({ input, raw }: Pixels): Promise<Pixels & { raw: { channels: 1 } }> {
  const one = { ...raw, channels: 1 as const };
  const flat = await grey(sharp(input, { raw }).greyscale());
  const coarse = await grey(sharp(flat, { raw: one }).blur(COARSE));
  return difference({ input: flat, raw: one }, { input: coarse, raw: one });
}

async function difference(one: Pixels, other: Pixels): Promise<Pixels & { raw: { channels: 1 } }> {
  const image = sharp(one.input, { raw: one.raw }).composite([{ ...other, blend: 'difference' }]);
  return { input: await grey(image.greyscale()), raw: { ...one.raw, channels: 1 } };
}

/** The place of the largest sum of a window, among the cells of a grid. */
function largest(cells: Uint8Array, columns: number, rows: number, wide: number, high: number) {
  let best = { sum: -1, column: 0, row: 0 };
  for (let row = 0; row + high <= rows; row += 1) {
    for (let column = 0; column + wide <= columns; column += 1) {
      let sum = 0;
      for (let y = row; y < row + high; y += 1) {
        for (let x = column; x < column + wide; x += 1) sum += cells[y * columns + x] ?? 0;
      }
      if (sum > best.sum) best = { sum, column, row };
    }
  }
  return best;
}

/**
 * The part of a picture in which its fine structure (grain, scratches, edges) changed most; a change of tone alone
 * counts little.
 *
 * @param before reduced, upright.
 * @param after of the same size.
 * @param size of the whole in pixels.
 * @param part its width and height in pixels of the whole, not larger than that.
 * @returns the part in pixels of the whole.
 */
export async function mostChanged(
  before: Pixels,
  after: Pixels,
  size: { width: number; height: number },
  part: { width: number; height: number },
): Promise<Region> {
  const changed = await difference(await fineStructure(before), await fineStructure(after));
  const columns = Math.max(1, Math.round((size.width / part.width) * STEPS));
  const rows = Math.max(1, Math.round((size.height / part.height) * STEPS));
  const cells = await grey(
    sharp(changed.input, { raw: changed.raw }).linear(GAIN).resize(columns, rows, { fit: 'fill', kernel: 'linear' }),
  );
  const { column, row } = largest(cells, columns, rows, Math.min(STEPS, columns), Math.min(STEPS, rows));
  const place = (share: number, whole: number, own: number): number =>
    Math.max(0, Math.min(whole - own, Math.round(share * whole)));
  return {
    left: place(column / columns, size.width, part.width),
    top: place(row / rows, size.height, part.height),
    ...part,
  };
}
