import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it, onTestFinished } from 'vitest';
import { clientOf, UPLOAD } from '../helpers/app.ts';
import { peakRssMb, rssMb } from '../helpers/ground-rule.ts';
import { startProcess } from '../helpers/process.ts';
import { jpeg, until } from '../helpers/service.ts';

const RENDITIONS = 'query ($id: ID!) { photo(id: $id) { renditions { name } } }';
const DIAGNOSED = 'query ($id: ID!) { photo(id: $id) { diagnosis { summary } } }';
const SIDE = 7000;

/** 49 megapixels in a few hundred bytes, which take about 750 MB to decode. */
const heavy = (background: string): Promise<Buffer> =>
  sharp({ create: { width: SIDE, height: SIDE, channels: 3, background } })
    .avif({ effort: 0, chromaSubsampling: '4:2:0' })
    .toBuffer();

it('C27: two photos of 49 megapixels that come in at once take the memory of one, and small ones go on beside them', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'heirloom-decoding-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  const [red, blue] = [await heavy('#a65'), await heavy('#56a')];
  const { url, child } = await startProcess(dataDir, {
    NODE_OPTIONS: '--max-semi-space-size=8',
  });
  const client = clientOf(url);
  const ended: string[] = [];
  async function upload(name: string, bytes: Uint8Array): Promise<{ id: string; token: string }> {
    const token = await client.guest();
    const { data, errors } = await client.upload(UPLOAD, { file: { bytes, name } }, {}, token);
    expect(errors).toEqual([]);
    ended.push(name);
    return { id: data.uploadPhoto.photo.id, token };
  }
  // What a first photo leaves behind: the threads and the encoders.
  const first = await upload('first.jpg', await jpeg(99, 640, 480));
  await until(async () => (await client.ok(DIAGNOSED, { id: first.id }, first.token)).photo.diagnosis !== null, 60_000);
  ended.length = 0;
  const before = rssMb({ child });
  const heavies = [upload('red.avif', red), upload('blue.avif', blue)];
  const light = Array.from({ length: 5 }, async (_, n) => upload(`${n}.jpg`, await jpeg(n, 640, 480)));
  await Promise.all(light);
  // Not behind both of them.
  expect(ended.filter((name) => name.endsWith('avif')).length).toBeLessThan(2);
  for (const { id, token } of await Promise.all([...heavies, ...light])) {
    await until(async () => (await client.ok(RENDITIONS, { id }, token)).photo.renditions.length === 4, 60_000, 50);
  }
  // Not a number where there is no /proc. Both at once would take 1.5 GB.
  expect(peakRssMb({ child }) - before).not.toBeGreaterThan(1000);
});
