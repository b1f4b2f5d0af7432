import type { Manifest } from '../../inference/manifest.ts';

/** What the models of one family have in common: the part of a manifest that a person would otherwise look up. */
export interface Family {
  /** Which models, for the help. */
  readonly doc: string;
  /** For people, as the description of a model that says nothing else. */
  readonly description: string;
  /** Of most models of the family; `--licence` says otherwise. */
  readonly licence: string;
  readonly fields: Partial<Manifest> & Pick<Manifest, 'task' | 'tile' | 'cost'>;
  /** The scale is worked out from the file where the family has several; else it is `fields.scale`. */
  readonly scales?: readonly (1 | 2 | 4)[];
}

/** FFHQ crops of −1 to 1; the detector is called after its family where nobody says otherwise. */
const faces = {
  task: 'face',
  range: [-1, 1],
  tile: { size: 512, overlap: 0 },
  fixedSize: true,
  detector: 'yunet',
} satisfies Partial<Manifest>;
const upscaler = { task: 'upscale', cost: 60_000 } as const;

/** `models add --like NAME`. Conventions as in facefusion's processors and the models' own repositories. */
export const FAMILIES: Readonly<Record<string, Family>> = {
  'real-esrgan': {
    doc: 'Real-ESRGAN ×2 and ×4, realesr-general, SPAN and kin',
    description: 'Makes the picture larger and invents fine detail. Not for faces or text that must stay true.',
    licence: 'BSD-3-Clause',
    scales: [2, 4],
    fields: { ...upscaler, multiple: 4, tile: { size: 256, overlap: 32 } },
  },
  swin2sr: {
    doc: 'Swin2SR ×2 and ×4',
    description: 'Makes the picture larger.',
    licence: 'Apache-2.0',
    scales: [2, 4],
    fields: { ...upscaler, multiple: 8, tile: { size: 128, overlap: 16 } },
  },
  swinir: {
    doc: 'SwinIR ×2 and ×4, and SwinIR that keeps the size',
    description: 'Makes the picture larger, or takes grain or JPEG artefacts out of it.',
    licence: 'Apache-2.0',
    scales: [1, 2, 4],
    fields: { ...upscaler, multiple: 8, tile: { size: 256, overlap: 32 } },
  },
  scunet: {
    doc: 'SCUNet',
    description: 'Takes grain and noise out. Fine texture may go with it.',
    licence: 'Apache-2.0',
    fields: { task: 'restore', multiple: 64, tile: { size: 256, overlap: 64 }, cost: 30_000 },
  },
  fbcnn: {
    doc: 'FBCNN',
    description: 'Takes the blocks and fringes of JPEG out.',
    licence: 'Apache-2.0',
    fields: { task: 'restore', multiple: 8, tile: { size: 256, overlap: 32 }, cost: 30_000 },
  },
  ddcolor: {
    doc: 'DDColor',
    description: 'Gives a black and white photo colours. They are a guess.',
    licence: 'Apache-2.0',
    fields: { task: 'colourise', tile: { size: 512, overlap: 0 }, cost: 3000 },
  },
  gfpgan: {
    doc: 'GFPGAN and RestoreFormer++, 512 × 512; needs a model of the family yunet',
    description: 'Restores faces and leaves the rest. It invents fine detail: skin, lashes and teeth are a guess.',
    licence: 'Apache-2.0',
    fields: { ...faces, cost: 2000 },
  },
  codeformer: {
    doc: 'CodeFormer; needs a model of the family yunet',
    description:
      'Restores faces and leaves the rest; the higher its weight, the truer to the photo. It invents fine detail.',
    licence: 'LicenseRef-S-Lab-1.0',
    fields: { ...faces, cost: 3000 },
  },
  yunet: {
    doc: 'YuNet of 2023, which finds the faces for the models that restore them',
    description: 'Finds faces for the models that restore them.',
    licence: 'MIT',
    fields: {
      task: 'detect',
      tile: { size: 640, overlap: 0 },
      range: [0, 255],
      colours: 'BGR',
      fixedSize: true,
      cost: 50,
    },
  },
  lama: {
    doc: 'LaMa, 512 × 512',
    description: 'Fills what a mask covers with what fits its surroundings.',
    licence: 'Apache-2.0',
    fields: {
      task: 'fill',
      tile: { size: 512, overlap: 128 },
      fixedSize: true,
      outputRange: 'detect',
      cost: 10_000,
    },
  },
};
