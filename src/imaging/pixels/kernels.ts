import { blendMasked } from './blend-masked.ts';
import { curveTile } from './curve.ts';
import { denoiseTile } from './denoise.ts';
import { differenceTile } from './difference.ts';
import { harmTile } from './harm.ts';
import { fillBiharmonic } from './fill-biharmonic.ts';
import { fillFromCoarse, shrinkKnown } from './fill-coarse.ts';
import { fillSparse } from './fill-sparse.ts';
import { growMask } from './grow-mask.ts';
import { histogramTile } from './histogram.ts';
import { hysteresis } from './hysteresis.ts';
import { measureEdges } from './measure-edges.ts';
import { measureJpeg } from './measure-jpeg.ts';
import { measureNoise } from './measure-noise.ts';
import { mixTile } from './mix.ts';
import { mixTurned } from './mix-turned.ts';
import { mergeDamage } from './merge-damage.ts';
import { sharpenTile } from './sharpen.ts';
import { topHat } from './top-hat.ts';
import { upscaleTile } from './upscale.ts';

/**
 * Everything the worker threads can do. A kernel gets its input (shared rasters and plain numbers) and one tile, reads around
 * the tile as far as it needs, writes only inside it, and returns what survives a structured clone.
 */
export const KERNELS = {
  blendMasked,
  curve: curveTile,
  denoise: denoiseTile,
  difference: differenceTile,
  harm: harmTile,
  fillBiharmonic,
  fillFromCoarse,
  fillSparse,
  growMask,
  histogram: histogramTile,
  hysteresis,
  measureEdges,
  measureJpeg,
  measureNoise,
  mix: mixTile,
  mixTurned,
  mergeDamage,
  sharpen: sharpenTile,
  shrinkKnown,
  topHat,
  upscale: upscaleTile,
} as const;

export type KernelName = keyof typeof KERNELS;
export type KernelInput<K extends KernelName> = Parameters<(typeof KERNELS)[K]>[0];
export type KernelResult<K extends KernelName> = ReturnType<(typeof KERNELS)[K]>;
