import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openImage } from '../../src/imaging/decode.ts';
import { encodeResult } from '../../src/imaging/encode.ts';
import { fileQuality } from '../../src/imaging/file-quality.ts';
import { inspectImage } from '../../src/imaging/inspect.ts';
import { DEFAULT_LIMITS } from '../../src/imaging/limits.ts';
import { measure } from '../../src/imaging/measure/measure.ts';
import { NO_NETS } from '../../src/imaging/nets.ts';
import { runPipeline } from '../../src/imaging/pipeline.ts';
import { createPixelPool } from '../../src/imaging/pixels/pool.ts';
import { readRaster } from '../../src/imaging/read-raster.ts';
import { makeRenditions, type RenditionName } from '../../src/imaging/renditions.ts';
import { configureSharp } from '../../src/imaging/sharp.ts';
import { repair } from '../../src/imaging/steps/repair.ts';
import { denoise } from '../../src/imaging/steps/denoise.ts';
import { sharpen } from '../../src/imaging/steps/sharpen.ts';
import { tone } from '../../src/imaging/steps/tone.ts';
import { upscale } from '../../src/imaging/steps/upscale.ts';

export const NAMES: readonly RenditionName[] = ['THUMBNAIL', 'PREVIEW', 'MEDIUM', 'LARGE'];

/** What a photo costs without a service: the parts of `src/imaging` called one after the other, here in this process. */
export function createBare(dir: string): { restore(jpeg: Buffer): Promise<number>; close(): Promise<void> } {
  configureSharp();
  const pixels = createPixelPool();
  const { signal } = new AbortController();
  return {
    /** Seconds for one photo, from its bytes to the result and the renditions of both on the disk. */
    async restore(jpeg) {
      const began = performance.now();
      const path = join(dir, `${randomUUID()}.jpg`);
      const result = join(dir, `${randomUUID()}.jpg`);
      await writeFile(path, jpeg);
      await inspectImage(path, DEFAULT_LIMITS);
      const made = await makeRenditions(path, 'jpeg', NAMES, dir);
      const input = await readRaster(await openImage(path, 'jpeg'));
      const { raster } = await runPipeline([repair, denoise, tone, sharpen, upscale], input, {
        signal,
        pixels,
        nets: NO_NETS,
        measurements: await measure(input, { pixels, signal, fileQuality: await fileQuality(path, 'jpeg', signal) }),
        options: { strength: 1, upscale: 1 },
        onProgress: () => {},
      });
      await encodeResult(raster, { original: { path, format: 'jpeg' } }, result);
      made.push(...(await makeRenditions(result, 'jpeg', NAMES, dir)));
      const seconds = (performance.now() - began) / 1000;
      await Promise.all([path, result, ...made.map((file) => file.path)].map((file) => rm(file)));
      return seconds;
    },
    close: () => pixels.close(),
  };
}
