import { decode, encodeJpeg, encodePng } from '../files.ts';
import { gaussianBlur } from '../filters.ts';
import { maskTruth, type MaskTruth } from '../metrics/mask.ts';
import { luma, mapPlanes, rounded, type Picture, type Plane } from '../picture.ts';
import type { Random } from '../random.ts';
import { BICUBIC, resample } from '../resample.ts';
import { fade } from './fade.ts';
import type { FilmMask } from './film-masks.ts';
import { addGrain } from './grain.ts';
import { addScratches } from './scratches.ts';

/** A photo as a person would hand it in. */
export interface Damaged {
  readonly file: Buffer;
  readonly format: 'png' | 'jpeg';
  /** What the file decodes to. */
  readonly picture: Picture;
  /** What a perfect restoration would give back. */
  readonly clean: Picture;
  /** Where the scratches and the dust are, for judging a mask. */
  readonly truth?: MaskTruth;
}

export interface Chance {
  readonly random: Random;
  /** A value between mild and severe damage, within the third of the range that the strength names. */
  severity(mild: number, severe: number): number;
  readonly masks: readonly FilmMask[];
}

export interface Kind {
  /** For people. */
  readonly what: string;
  /** The variants of the damage: `light`, `medium` and `strong` are the thirds of the range. */
  readonly strengths: readonly string[];
  make(clean: Picture, chance: Chance, strength: string): Promise<Damaged>;
}

const THIRDS = ['light', 'medium', 'strong'];

export function createChance(random: Random, strength: string, masks: readonly FilmMask[]): Chance {
  const third = Math.max(0, THIRDS.indexOf(strength));
  return {
    random,
    masks,
    severity: (mild, severe) => mild + (severe - mild) * ((third + random.uniform()) / 3),
  };
}

const asPng = async (picture: Picture, clean: Picture): Promise<Damaged> => ({
  file: await encodePng(picture),
  format: 'png',
  picture: rounded(picture),
  clean,
});

async function asJpeg(
  picture: Picture,
  clean: Picture,
  quality: number,
  subsampling: '4:2:0' | '4:4:4' = '4:2:0',
): Promise<Damaged> {
  const file = await encodeJpeg(picture, Math.round(quality), subsampling);
  return { file, format: 'jpeg', picture: await decode(file), clean };
}

const blurred = (picture: Picture, sigma: number): Picture =>
  mapPlanes(picture, (plane) => gaussianBlur(plane, picture, sigma));

const drawFade = ({ random, severity }: Chance) => ({
  black: severity(0.1, 0.22),
  white: severity(0.9, 0.72),
  gamma: random.between(0.8, 1.15),
  desaturation: severity(0, 0.5),
  blue: severity(0.9, 0.68),
});

function scratched(sound: Picture, { random, severity, masks }: Chance): { picture: Picture; truth: MaskTruth } {
  const many = { lines: severity(3, 9), hairs: severity(4, 12), specks: severity(40, 100), films: severity(0, 2) };
  const { picture, opacity } = addScratches(sound, many, random, masks);
  return { picture, truth: maskTruth(opacity, sound, picture) };
}

const drawGrain = ({ random, severity }: Chance, mild: number, severe: number) => ({
  sigma: severity(mild, severe),
  correlation: random.between(0, 0.8),
});

/** The picture as grey, three equal planes. */
function grey(picture: Picture): Picture {
  const plane = luma(picture);
  return rounded({ ...picture, planes: [plane, plane, plane] });
}

/** The kinds of damage. The ranges run from light to strong; what is not a severity is drawn from its whole range. */
export const KINDS = {
  grain: {
    what: 'film grain, σ 12–25 of 255, grains up to 0.8 px',
    strengths: THIRDS,
    make: (clean, chance) => asPng(addGrain(clean, drawGrain(chance, 12, 25), chance.random), clean),
  },
  jpeg: {
    what: 'JPEG quality 60–30, 4:2:0',
    strengths: THIRDS,
    make: (clean, { severity }) => asJpeg(clean, clean, severity(60, 30)),
  },
  blur: {
    what: 'gaussian blur, σ 1.0–1.8 px',
    strengths: THIRDS,
    make: (clean, { severity }) => asPng(blurred(clean, severity(1, 1.8)), clean),
  },
  half: {
    what: 'half the size (bicubic), to be brought back ×2',
    strengths: ['once'],
    make(whole) {
      const [width, height] = [whole.width & ~1, whole.height & ~1];
      const clean = cropped(whole, width, height);
      return asPng(resample(clean, width / 2, height / 2, BICUBIC), clean);
    },
  },
  scratches: {
    what: 'scratches, hairs and dust on a sharp photo',
    strengths: THIRDS,
    async make(clean, chance) {
      const { picture, truth } = scratched(clean, chance);
      return { ...(await asPng(picture, clean)), truth };
    },
  },
  'soft-scratches': {
    what: 'scratches, hairs and dust on a soft photo (blur σ 1.0–1.6 px) with grain (σ 6–14)',
    strengths: THIRDS,
    async make(clean, chance) {
      const soft = blurred(clean, chance.severity(1, 1.6));
      const { picture, truth } = scratched(soft, chance);
      const grainy = addGrain(picture, drawGrain(chance, 6, 14), chance.random);
      return { ...(await asPng(grainy, clean)), truth };
    },
  },
  fade: {
    what: 'black 0.10–0.22, white 0.90–0.72, gamma 0.8–1.15, colour −0–50 %, blue ×0.90–0.68',
    strengths: THIRDS,
    make: (clean, chance) => asPng(fade(clean, drawFade(chance)), clean),
  },
  mix: {
    what: 'fade → blur 0.5–1.2 → scratches → grain 6–14 → JPEG 75–40',
    strengths: THIRDS,
    async make(clean, chance) {
      const soft = blurred(fade(clean, drawFade(chance)), chance.severity(0.5, 1.2));
      const { picture, truth } = scratched(soft, chance);
      const grainy = addGrain(picture, drawGrain(chance, 6, 14), chance.random);
      return { ...(await asJpeg(grainy, clean, chance.severity(75, 40))), truth };
    },
  },
  undamaged: {
    what: 'the clean picture: as PNG, as a JPEG of quality 95, and in grey',
    strengths: ['png', 'jpeg', 'grey'],
    async make(clean, _chance, strength) {
      if (strength === 'grey') return asPng(grey(clean), grey(clean));
      if (strength !== 'jpeg') return asPng(clean, clean);
      // What matters is what the work does to the photo that came.
      const made = await asJpeg(clean, clean, 95, '4:4:4');
      return { ...made, clean: made.picture };
    },
  },
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof KINDS;
export const KIND_NAMES = Object.keys(KINDS) as KindName[];

function cropped(picture: Picture, width: number, height: number): Picture {
  if (width === picture.width && height === picture.height) return picture;
  const cut = (plane: Plane): Plane =>
    Float32Array.from(
      { length: width * height },
      (_, i) => plane[Math.floor(i / width) * picture.width + (i % width)]!,
    );
  const [r, g, b] = picture.planes;
  return { width, height, planes: [cut(r), cut(g), cut(b)] };
}
