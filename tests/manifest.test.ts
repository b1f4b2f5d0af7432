import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManifestError, parseManifest, readManifest } from '../src/inference/manifest.ts';

const GOOD = {
  name: 'upscale-2x',
  title: 'Enlarge ×2',
  description: 'Makes each side twice as long.',
  task: 'upscale',
  scale: 2,
  file: 'upscale-2x.onnx',
  sha256: 'a'.repeat(64),
  bytes: 1000,
  layout: 'NCHW',
  range: [0, 1],
  colours: 'RGB',
  controls: [],
  multiple: 8,
  tile: { size: 256, overlap: 16 },
  inputs: { image: 'input' },
  outputs: { image: 'output' },
  cost: 600,
  licence: 'MIT',
  source: 'https://example.org/upscale',
  version: '1',
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'heirloom-manifest-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a manifest', () => {
  it('is read whole, with defaults for what it leaves out', async () => {
    const path = join(folder, 'upscale-2x.json');
    await writeFile(path, JSON.stringify(GOOD));
    expect(await readManifest(path)).toMatchObject({ ...GOOD, fixedSize: false, parameters: {} });
    const { layout: _layout, range: _range, colours: _colours, multiple: _multiple, ...short } = GOOD;
    expect(parseManifest(JSON.stringify(short), 'short.json')).toMatchObject({ range: [0, 1], multiple: 1 });
  });

  it.each([
    ['file', { file: '../secret.onnx' }],
    ['file', { file: '/etc/passwd.onnx' }],
    ['file', { file: 'a/b.onnx' }],
    ['file', { file: '..onnx\\x.onnx' }],
    ['sha256', { sha256: 'abc' }],
    ['task', { task: 'magic' }],
    ['scale', { scale: 3 }],
    ['scale', { scale: 1 }],
    ['scale', { task: 'restore' }],
    ['range', { range: [1, 0] }],
    ['tile', { tile: { size: 64, overlap: 32 } }],
    ['tile', { tile: { size: 100, overlap: 8 } }],
    ['licence', { licence: '' }],
    ['parameters.qf', { parameters: { qf: { default: 3, minimum: 0, maximum: 1, description: 'x' } } }],
    ['lisence', { lisence: 'MIT' }],
  ])('names the field %s when it is wrong', (field, patch) => {
    const read = (): unknown => parseManifest(JSON.stringify({ ...GOOD, ...patch }), 'wrong.json');
    expect(read).toThrow(ManifestError);
    expect(read).toThrow(/wrong\.json/);
    expect(read).toThrow(field);
  });

  it.each([
    ['missing', undefined, /cannot be read/],
    ['not JSON', '{ "name": ', /is not JSON/],
    ['empty', '', /is not JSON/],
    ['too long', ' '.repeat(70_000), /longer than/],
  ])('says so when the file is %s', async (kind, text, message) => {
    const path = join(folder, `${kind}.json`);
    if (text !== undefined) await writeFile(path, text);
    await expect(readManifest(path)).rejects.toThrow(message);
    await expect(readManifest(path)).rejects.toThrow(ManifestError);
  });
});
