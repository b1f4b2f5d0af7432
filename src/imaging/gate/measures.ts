import type { HarmSums } from '../pixels/harm.ts';
import { BIN, OVERSHOOT } from '../pixels/harm-cells.ts';
import { changedStructure, gainBeyondGrain, gainOf } from './coarse.ts';
import { fineChange, total, type FineChange } from './fine.ts';
import { quantile } from './sums.ts';

/**
 * What work on a photo may be there to change; it has to leave the rest alone: grain, the blocks that strong compression leaves (which
 * look like fine structure), a few places, contrast and colour, sharpness, the size, everything together, or, for a model that
 * invents colours, whatever is not structure, and for one that draws the picture, or the faces in it, anew, grain, blur, JPEG and fine
 * detail at once.
 */
export type Effect =
  | 'grain'
  | 'blocks'
  | 'places'
  | 'tone'
  | 'detail'
  | 'size'
  | 'whole'
  | 'colours'
  | 'redrawn'
  | 'faces';

/** What the owner of the photo has said: where the work is to be done, or only that it is. */
export type Demand = 'WHERE' | 'THAT';

/** The sums of a comparison with what follows from them. */
export interface Comparison {
  readonly sums: HarmSums;
  /** At full size and at half of it. */
  readonly fine: readonly FineChange[];
}

export function comparisonOf(sums: HarmSums): Comparison {
  const gain = gainOf(sums.cells);
  return { sums, fine: sums.fine.map((one) => fineChange(one, gain)) };
}

export interface Measure {
  readonly name: string;
  readonly unit: string;
  /** What the work is held to; one that is not named here may be changed at will. */
  readonly limits: Readonly<Partial<Record<Effect, number>>>;
  /** Whether it can be expected to hold for less of the same work. */
  readonly curable: boolean;
  /** Not asked where the owner of the photo has demanded the work in one of these ways. */
  readonly unless?: readonly Demand[];
  /** Undefined where the picture says nothing about it. */
  value(comparison: Comparison): number | undefined;
  /** What the value says, as the rest of “… of …” in one plain sentence. */
  readonly says: string;
  /** What went wrong beyond the limit, e.g. “fine detail was lost”. */
  readonly harm: string;
}

/**
 * Of the grain in busy areas, so much of the detail may go with it, at full size and at half. At full size it is more: compression takes
 * the grain out of calm areas first, which then tell of too little, and what is lost beside it shows at half size, too.
 */
const EXCUSED = [3, 1.5] as const;

/**
 * What taking out large grain changes by itself, for each level of its σ as it is measured: the means of areas, colours, and the greys
 * among them. Found by giving the clean photographs as the answer to σ 12–25 with grains of up to two pixels.
 */
const OF_GRAIN = { brightness: 0.1, colour: 0.15, neutral: 0.25 } as const;
/** Share of the cells without colour that makes a grey photo. */
const GREY = 0.95;
/** Where it was taken out, pixels lie up to so many times the grain beyond all their old neighbours. */
const OVERSHOOT_OF_GRAIN = 1.5;

const grainOf = (fine: readonly FineChange[]): number => Math.max(0, ...fine.map(({ grain }) => grain));

/** The change that `most` of the areas stay under, in levels, without what grain explains. */
function change(what: keyof typeof OF_GRAIN, most: number): Measure['value'] {
  return ({ sums: { cells }, fine }) => {
    const levels = quantile(cells[what], most, BIN);
    return levels === undefined ? undefined : Math.max(0, levels - OF_GRAIN[what] * grainOf(fine));
  };
}

const percent = (part: number | undefined): number | undefined => (part === undefined ? undefined : 100 * part);
const share = (part: number, whole: number): number | undefined => (whole === 0 ? undefined : (100 * part) / whole);

/** Found by trying the steps, and bad ones, on photographs with known damage; see the tests. */
export const MEASURES: readonly Measure[] = [
  {
    name: 'structure',
    unit: '%',
    limits: { grain: 0.8, blocks: 0.8, tone: 0.5, detail: 0.5, size: 0.5, whole: 1, colours: 2, redrawn: 1, faces: 1 },
    curable: false,
    value: ({ sums: { cells }, fine }) => percent(changedStructure(cells, fine)),
    says: 'of the areas with structure show another one now',
    harm: 'it changed what the picture shows',
  },
  {
    name: 'contrast',
    unit: 'times less',
    limits: {
      grain: 1.1,
      blocks: 1.1,
      tone: 1.1,
      detail: 1.1,
      size: 1.1,
      whole: 1.1,
      colours: 1.5,
      redrawn: 1.1,
      faces: 1.1,
    },
    curable: false,
    value({ sums: { cells }, fine }) {
      const gain = gainBeyondGrain(cells, fine);
      return gain === undefined ? undefined : Math.min(99, 1 / Math.max(0.01, gain));
    },
    says: 'contrast than before',
    harm: 'the picture lost its contrast',
  },
  {
    name: 'brightness',
    unit: 'levels',
    limits: { grain: 6, blocks: 6, detail: 4, size: 4, redrawn: 8, faces: 8 },
    curable: true,
    value: change('brightness', 0.999),
    says: 'of 255 is how much areas became brighter or darker at most',
    harm: 'areas became brighter or darker',
  },
  {
    name: 'clipping',
    unit: '%',
    // Grain lifts what is black and dulls what is white: without it they are so again.
    limits: {
      grain: 8,
      blocks: 8,
      places: 0.2,
      tone: 0.2,
      detail: 0.5,
      size: 0.5,
      whole: 8,
      colours: 5,
      redrawn: 5,
      faces: 5,
    },
    curable: true,
    value: ({ sums: { cells } }) => share(cells.clipped, cells.samples),
    says: 'of the samples became pure black or white',
    harm: 'light or dark parts lost their drawing',
  },
  {
    name: 'neutral',
    unit: 'levels',
    limits: { grain: 5, blocks: 6, detail: 3, size: 3, redrawn: 8, faces: 8 },
    curable: true,
    value: change('neutral', 0.99),
    says: 'of colour are in what had none',
    harm: 'grey areas took on a colour',
  },
  {
    name: 'grey',
    unit: 'levels',
    // A model that invents colours is there for this. Where a photo has colours, no comparison tells a wrong hue from one brought back.
    limits: { tone: 4, whole: 4 },
    curable: true,
    value: ({ sums: { cells } }) =>
      total(cells.neutral) < GREY * total(cells.colour) ? undefined : quantile(cells.neutral, 0.95, BIN),
    says: 'of colour are in a photo that had none',
    harm: 'a grey photo took on a colour',
  },
  {
    name: 'colour',
    unit: 'levels',
    limits: { grain: 8, blocks: 10, detail: 8, size: 8, redrawn: 10, faces: 10 },
    curable: true,
    value: change('colour', 0.99),
    says: 'of 255 is how much colours changed',
    harm: 'colours changed',
  },
  {
    name: 'detail',
    unit: '%',
    limits: { grain: 45, blocks: 60, tone: 10, detail: 10, size: 15, whole: 60, colours: 20, redrawn: 60, faces: 60 },
    curable: true,
    value: ({ fine }) => {
      const lost = fine.map(({ kept, grainy }, level) =>
        kept === undefined ? 0 : 100 * (1 - kept - EXCUSED[level]! * grainy),
      );
      return Math.max(0, ...lost);
    },
    says: 'of the fine detail is gone, beyond the grain',
    harm: 'fine detail was lost',
  },
  {
    name: 'invention',
    unit: 'levels',
    limits: { grain: 1.2, blocks: 6, tone: 1, detail: 2, size: 2.5, whole: 6, colours: 3, redrawn: 10, faces: 10 },
    curable: true,
    value: ({ fine }) => Math.max(0, ...fine.map(({ invented, grain }) => invented - grain)),
    says: 'of 255 is how strong fine structure is that was not there',
    harm: 'it drew fine structure that was not there',
  },
  {
    name: 'halo',
    unit: '%',
    limits: { grain: 2, blocks: 2, detail: 2, size: 2, redrawn: 10, faces: 10 },
    curable: true,
    value({ sums: { cells }, fine }) {
      const from = Math.floor(OVERSHOOT + OVERSHOOT_OF_GRAIN * grainOf(fine));
      return share(total(cells.overshot.slice(from)), cells.pixels);
    },
    says: 'of the pixels lie in halos along edges',
    harm: 'edges got halos',
  },
  {
    name: 'shift',
    unit: 'px',
    // Enlargers differ in where the middle of a pixel is, by up to half a pixel.
    limits: {
      grain: 0.3,
      blocks: 0.3,
      tone: 0.2,
      detail: 0.2,
      size: 0.2,
      whole: 0.3,
      colours: 0.3,
      redrawn: 0.6,
      faces: 0.6,
    },
    curable: false,
    value: ({ sums: { shift } }) => displacement(shift),
    says: 'is how far the picture has moved',
    harm: 'the picture was moved',
  },
  {
    name: 'grounds',
    unit: '%',
    limits: { places: 20 },
    curable: false,
    unless: ['WHERE'],
    value: ({ sums: { cells } }) => share(Math.min(cells.usual, cells.removed), cells.removed),
    says: 'of what was painted over is no more than its surroundings vary',
    harm: 'what was painted over did not stand out as damage does',
  },
  {
    name: 'coverage',
    unit: '%',
    limits: { places: 8 },
    curable: false,
    unless: ['WHERE', 'THAT'],
    value: ({ sums: { cells } }) => share(cells.changed, cells.pixels),
    says: 'of the photo was painted over',
    harm: 'too much of the photo was painted over',
  },
  {
    name: 'patches',
    unit: '%',
    limits: { places: 2 },
    curable: false,
    unless: ['WHERE', 'THAT'],
    value: ({ sums: { cells } }) => share(cells.replaced, cells.cells),
    says: 'of the photo was painted over in whole patches',
    harm: 'whole patches of the photo were painted over',
  },
];

/** Least squares over the equations of all pixels, in pixels of full size; they were taken at half. */
function displacement({ xx, xy, yy, xf, yf, xh, yh, ff, fh }: HarmSums['shift']): number | undefined {
  const determinant = xx * yy - xy * xy;
  // Without edges in two directions a displacement cannot be seen.
  if (determinant <= 1e-3 * xx * yy || fh < 0.2 * ff) return undefined;
  const gain = fh / ff;
  const xd = xf - xh / gain;
  const yd = yf - yh / gain;
  return 2 * Math.hypot((yy * xd - xy * yd) / determinant, (xx * yd - xy * xd) / determinant);
}
