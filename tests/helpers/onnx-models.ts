import { createHash } from 'node:crypto';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export const ONNX_FIXTURES = join(import.meta.dirname, '..', 'fixtures', 'onnx');

/** What stands in the manifest of each tiny model beyond the common fields. */
const SPECIAL: Record<string, object> = {
  'esrgan-2x': { task: 'upscale', scale: 2 },
  'negative-2x': { task: 'upscale', scale: 2 },
  'nan-2x': { task: 'upscale', scale: 2 },
  'esrgan-4x-fixed': { task: 'upscale', scale: 4, fixedSize: true },
  'swin2sr-2x': {
    task: 'upscale',
    scale: 2,
    multiple: 8,
    inputs: { image: 'pixel_values' },
    outputs: { image: 'reconstruction' },
  },
  fbcnn: {
    parameters: { qf: { shape: [1, 1], default: 0.5, minimum: 0, maximum: 1, description: 'How good the JPEG is.' } },
  },
  ddcolor: { task: 'colourise', fixedSize: true },
  lama: {
    task: 'fill',
    fixedSize: true,
    tile: { size: 512, overlap: 128 },
    inputs: { image: 'image', mask: 'mask' },
    outputRange: 'detect',
  },
  yunet: { task: 'detect', fixedSize: true, tile: { size: 160, overlap: 0 }, range: [0, 255], colours: 'BGR' },
  gfpgan: { task: 'face', fixedSize: true, tile: { size: 64, overlap: 0 }, range: [-1, 1], detector: 'yunet' },
  bgr: { layout: 'NHWC', colours: 'BGR', range: [0, 255] },
};

/** Puts one of the tiny models and its manifest into a folder. @param patch fields of the manifest that are otherwise. */
export async function putModel(folder: string, model: string, patch: Record<string, unknown> = {}): Promise<void> {
  await mkdir(folder, { recursive: true });
  const file = `${model}.onnx`;
  const source = join(ONNX_FIXTURES, file);
  const bytes = await readFile(source).catch(() => Buffer.from('missing'));
  if (bytes.toString() !== 'missing') await copyFile(source, join(folder, file));
  const manifest = {
    name: model,
    title: `The model ${model}`,
    description: 'A tiny model for tests.',
    task: 'restore',
    file,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    bytes: Math.max(1, bytes.length),
    tile: { size: 64, overlap: 16 },
    cost: 100,
    licence: 'MIT',
    source: 'tests/fixtures/onnx/make.py',
    ...SPECIAL[model],
    ...patch,
  };
  await writeFile(join(folder, `${manifest.name}.json`), JSON.stringify(manifest));
}

/** Processes of models that are alive, by the command line; Linux only. */
export async function modelProcesses(): Promise<number[]> {
  const { readdir } = await import('node:fs/promises');
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    ids.map(async (id) => {
      const command = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '');
      const status = await readFile(`/proc/${id}/stat`, 'utf8').catch(() => '');
      const parent = Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]);
      return command.includes('foreign/child.ts') && parent === process.pid ? Number(id) : 0;
    }),
  );
  return found.filter((id) => id > 0);
}
