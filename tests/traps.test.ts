import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeRenditions } from '../src/imaging/renditions.ts';
import { png41Bytes } from './fixtures/zoo/png.ts';
import { appForTest, clientOf, RESTORE, UPLOAD } from './helpers/app.ts';
import { photoBytes } from './helpers/photos.ts';
import { startProcess } from './helpers/process.ts';

/** Most memory a process has held since `clear_refs` was written, in MB. */
function peakMegabytes(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

describe.skipIf(process.platform !== 'linux')('memory, by /proc (Linux only)', () => {
  it('trap 4: ten uploads of 20 MB at once are not held in memory', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'heirloom-trap-'));
    const service = await startProcess(folder);
    onTestFinished(async () => {
      service.kill('SIGTERM');
      await service.ended;
      await rm(folder, { recursive: true });
    });
    const client = clientOf(service.url);
    const bytes = randomFillSync(Buffer.alloc(19.9e6));
    const tokens = await Promise.all(Array.from({ length: 10 }, () => client.guest()));
    const before = peakMegabytes(service.child.pid ?? 0);
    const answers = await Promise.all(tokens.map((token) => client.upload(UPLOAD, { file: { bytes } }, {}, token)));
    expect(answers.map(({ errors }) => errors[0]?.extensions.code)).toEqual(tokens.map(() => 'UNSUPPORTED_IMAGE'));
    const growth = peakMegabytes(service.child.pid ?? 0) - before;
    expect(growth).toBeLessThan(150);
  });
});

it('trap 5: the limit on bodies is held while they arrive, with and without a length', async () => {
  const app = await appForTest();
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ query: '{ health { ok } }', variables: { padding: 'x'.repeat(1_100_000) } });
  const known = await fetch(`${app.url}/graphql`, { method: 'POST', headers, body });
  expect([known.status, (await known.json()).errors[0].extensions.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  const chunked = await fetch(`${app.url}/graphql`, {
    method: 'POST',
    headers,
    body: new Blob([body]).stream(),
    duplex: 'half',
  } as RequestInit);
  expect([chunked.status, (await chunked.json()).errors[0].extensions.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
});

it('trap 7: one native thread works on a picture, and nothing is cached', async () => {
  await appForTest();
  expect(sharp.concurrency()).toBe(1);
  expect(sharp.cache()).toMatchObject({ memory: { max: 0 }, files: { max: 0 }, items: { max: 0 } });
});

describe('trap 8: the large rendition', () => {
  it('is made only when somebody asks for it', async () => {
    const app = await appForTest();
    const token = await app.guest();
    const { data } = await app.upload(RESTORE, { file: { bytes: await photoBytes('coffee.png') } }, {}, token);
    const { id } = data.restorePhoto.restoration;
    const names = async () => (await app.ended(id, token)).renditions.map(({ name }: any) => name);
    expect(await names()).toEqual(['THUMBNAIL', 'PREVIEW', 'MEDIUM', 'LARGE']);
    await app.ok(`query ($id: ID!) { restoration(id: $id) { rendition(name: ORIGINAL) { url } } }`, { id }, token);
    expect(await names()).toEqual(['THUMBNAIL', 'PREVIEW', 'MEDIUM', 'LARGE', 'ORIGINAL']);
  });

  it('costs less than half of what the default effort of the encoder would', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'heirloom-trap-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const path = join(folder, 'photo.jpg');
    const photo = sharp(await photoBytes('coffee.png')).resize(3600, 2700, { fit: 'fill' });
    await writeFile(path, await photo.jpeg({ quality: 90 }).toBuffer());
    const cpuOf = async (work: () => Promise<unknown>): Promise<number> => {
      const before = process.cpuUsage();
      await work();
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    const ours = await cpuOf(() => makeRenditions(path, 'jpeg', ['ORIGINAL'], folder));
    const theirs = await cpuOf(() => sharp(path).webp({ quality: 85, effort: 4 }).toBuffer());
    expect(ours / theirs).toBeLessThan(0.5);
  });
});

it('trap 9: a PNG of 41 bytes that would take 1.2 GB is refused by its header', async () => {
  const app = await appForTest();
  const token = await app.guest();
  const before = process.memoryUsage().rss;
  const started = performance.now();
  const { status, errors } = await app.upload(UPLOAD, { file: { bytes: png41Bytes(), name: 'small.png' } }, {}, token);
  expect([status, errors[0]?.extensions.code]).toEqual([413, 'IMAGE_TOO_LARGE']);
  expect(performance.now() - started).toBeLessThan(1000);
  expect((process.memoryUsage().rss - before) / 1e6).toBeLessThan(50);
});
