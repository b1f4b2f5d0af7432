import { curveTile } from './curve.ts';
import { denoiseTile } from './denoise.ts';
import { differenceTile } from './difference.ts';
import { harmTile } from './harm.ts';
import { histogramTile } from './histogram.ts';
import { measureEdges } from './measure-edges.ts';
import { measureJpeg } from './measure-jpeg.ts';
import { measureNoise } from './measure-noise.ts';
import { mixTile } from './mix.ts';
import { sharpenTile } from './sharpen.ts';
import { upscaleTile } from './upscale.ts';

/**
 * Everything the worker threads can do. A kernel gets its input (shared rasters and plain numbers) and one tile, reads around
 * the tile as far as it needs, writes only inside it, and returns what survives a structured clone.
 */
export const KERNELS = {
  curve: curveTile,
  denoise: denoiseTile,
  difference: differenceTile,
  harm: harmTile,
  histogram: histogramTile,
  measureEdges,
  measureJpeg,
  measureNoise,
  mix: mixTile,
  sharpen: sharpenTile,
  upscale: upscaleTile,
} as const;

export type KernelName = keyof typeof KERNELS;
export type KernelInput<K extends KernelName> = Parameters<(typeof KERNELS)[K]>[0];
export type KernelResult<K extends KernelName> = ReturnType<(typeof KERNELS)[K]>;
