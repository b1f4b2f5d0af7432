import { createHash } from 'node:crypto';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRaster, type Raster, type RasterShape } from '../../src/imaging/raster.ts';
import { openNets, type OwnNets, type OwnNetsOptions } from '../../src/inference/nets.ts';

const FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'nets');

/** What a manifest of a tiny net says unless told otherwise. */
export type ManifestFields = Record<string, unknown>;

/** What differs from a chain without controls, by fixture. */
const FIXTURE_FIELDS: Record<string, ManifestFields> = {
  chain: { controls: ['noise', 'jpeg'] },
  unet: { controls: ['noise', 'jpeg'] },
  mask: { task: 'mask' },
  double: { task: 'upscale', scale: 2 },
  quadruple: { task: 'upscale', scale: 4 },
  copy: { controls: ['noise'] },
  control: { controls: ['noise'] },
};

/** A folder with one net for each fixture, and its manifest; `fields` for all of them. */
export async function shelfOf(fixtures: readonly string[], fields: ManifestFields = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'heirloom-nets-'));
  await Promise.all(fixtures.map((fixture) => putNet(folder, fixture, fields)));
  return folder;
}

/** Puts a net into a folder; `bytes` are written in the place of its own. */
export async function putNet(
  folder: string,
  fixture: string,
  fields: ManifestFields = {},
  change: (bytes: Buffer) => Buffer = (bytes) => bytes,
): Promise<void> {
  const model = await readFile(join(FIXTURES, `${fixture}.onnx`));
  const manifest = {
    name: fixture,
    title: `Tiny ${fixture}`,
    description: 'For tests.',
    task: 'restore',
    scale: 1,
    file: `${fixture}.onnx`,
    sha256: createHash('sha256').update(model).digest('hex'),
    bytes: model.length,
    multiple: 8,
    tile: { size: 128, overlap: 32 },
    cost: 10,
    licence: 'MIT',
    source: 'tests/fixtures/nets/make.py',
    ...FIXTURE_FIELDS[fixture],
    ...fields,
  };
  await writeFile(join(folder, `${fixture}.onnx`), change(model));
  await writeFile(join(folder, `${fixture}.json`), JSON.stringify(manifest));
}

/** Nets of a folder with windows as large as their manifests allow, however slow the machine is. */
export async function netsOf(folder: string, options: Partial<OwnNetsOptions> = {}): Promise<OwnNets> {
  return openNets({ folder, windowMs: 1e6, ...options });
}

/** A picture with structure at every scale: waves and a few hard edges; alpha is a ramp. */
export function pattern({ width, height, channels, depth }: RasterShape): Raster {
  const raster = createRaster({ width, height, channels, depth });
  const unit = depth === 16 ? 257 : 1;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let c = 0; c < channels; c++, i++) {
        const alpha = channels % 2 === 0 && c === channels - 1;
        const wave = 40 * Math.sin(x / 9 + c) + 40 * Math.cos(y / 23 - x / 31) + 30 * Math.sin((x * y) / 900);
        const edge = (x >> 5) % 2 === (y >> 6) % 2 ? 20 : -20;
        const level = alpha ? (x * 5 + y * 3) % 256 : 128 + wave + edge;
        raster.data[i] = Math.max(0, Math.min(255, level)) * unit;
      }
    }
  }
  return raster;
}

/** The largest difference of two rasters, in 8-bit levels. */
export function largestDifference(a: Raster, b: Raster): number {
  const unit = a.depth === 16 ? 257 : 1;
  let largest = 0;
  for (let i = 0; i < a.data.length; i++) largest = Math.max(largest, Math.abs(a.data[i]! - b.data[i]!));
  return largest / unit;
}
