import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { GraphQLObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { localId } from '../src/graphql/global-id.ts';
import { damageCoverage } from '../src/imaging/measure/coverage.ts';
import type { Measurements } from '../src/imaging/measure/measurements.ts';
import type { Nets } from '../src/imaging/nets.ts';
import { createPixelPool } from '../src/imaging/pixels/pool.ts';
import { createRaster } from '../src/imaging/raster.ts';
import { findingsOf, summaryOf } from '../src/photos/findings.ts';
import { schema } from '../src/schema.ts';
import { fade, grain, photoPath, readPhoto } from './fixtures/damage.ts';
import { startApp, UPLOAD, type TestApp } from './helpers/app.ts';
import { ACTIVITY, collect, idle, socketClient, sql, statementsOf } from './helpers/service.ts';
import { folderForTest } from './helpers/scripted.ts';

const coffee = await readPhoto(photoPath('coffee.png'));
const DELETE = 'mutation ($id: ID!) { deletePhoto(input: { id: $id }) { deletedPhotoId } }';
const ASK = `query ($id: ID!) { photo(id: $id) { diagnosis {
  summary findings { kind value severity line } noise { value severity line } jpegQuality { value severity } fade { severity }
  softness { value } damageCoverage { value line } monochrome { value } recommended { name strength reason } } } }`;

let app: TestApp;
let token: string;
/** Faded, with grain, saved as JPEG 50. */
let aged: Buffer;
let clean: Buffer;
beforeAll(async () => {
  app = await startApp();
  token = await app.guest();
  const { data, width, height } = grain(fade(coffee), 14);
  aged = await sharp(data, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 50 })
    .toBuffer();
  clean = await sharp(photoPath('coffee.png')).png({ compressionLevel: 1 }).toBuffer();
});
afterAll(() => app.close());

const upload = async (bytes: Uint8Array, as = token): Promise<string> => {
  const { data, errors } = await app.upload(UPLOAD, { file: { bytes } }, {}, as);
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return data.uploadPhoto.photo.id;
};
const ask = async (id: string, on = app, as = token): Promise<any> => (await on.ok(ASK, { id }, as)).photo.diagnosis;
const diagnosed = async (id: string, on = app, as = token): Promise<any> => {
  await expect.poll(() => ask(id, on, as), { timeout: 60_000, interval: 100 }).not.toBeNull();
  return ask(id, on, as);
};
const rowsOf = (id: string): Promise<any[]> =>
  sql<any>(app, 'select * from diagnosis where photo_id = ?', [localId('Photo', id)]);
const eventsOf = (id: string): Promise<any[]> =>
  sql<any>(app, "select * from event where kind = 'PHOTO_DIAGNOSED' and photo_id = ?", [localId('Photo', id)]);

/** Of a photo without contrast lost and without a cast. */
const measuredAs = ({ sigma = 0, quality = 100, typicalSigma = null as number | null }): Measurements => ({
  width: 1000,
  height: 500,
  monochrome: false,
  noise: { sigma, luma: sigma, chroma: 0, spectrum: { luma: [], chroma: [] }, confidence: 1 },
  tone: { luminance: { black: 0, white: 1, mean: 0.5 }, channels: [], fade: 0, cast: 0 },
  sharpness: { blurSigma: typicalSigma, typicalSigma },
  jpeg: { blocking: 1, visible: false, quality },
});

describe('Photo.diagnosis', { timeout: 90_000 }, () => {
  it('is announced after the upload and says what is wrong, and what would be done', async () => {
    const mine = await app.guest();
    const after = Buffer.from('e0').toString('base64url');
    const events = collect(socketClient(app, mine), ACTIVITY, { after }, ({ kind }) => kind === 'PHOTO_DIAGNOSED');
    const id = await upload(aged, mine);
    const { photo } = (await events).at(-1);
    expect(photo.id).toBe(id);
    const diagnosis = await ask(id, app, mine);
    expect(Math.abs(diagnosis.jpegQuality.value - 50)).toBeLessThanOrEqual(2);
    expect(diagnosis.jpegQuality.severity).toBe('STRONG');
    expect(diagnosis.noise.value / 14).toBeGreaterThan(0.7);
    expect(diagnosis.noise.value / 14).toBeLessThan(1.3);
    expect(diagnosis.noise.line).toMatch(/grain: σ \d+\.\d of 255/);
    expect(diagnosis.fade.severity).toBe('STRONG');
    expect(diagnosis.damageCoverage.value).toBeNull();
    expect(diagnosis.damageCoverage.line).toContain('could not be looked for');
    expect(diagnosis.summary).toContain('grain');
    expect(diagnosis.recommended.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['denoise', 'tone']),
    );
  });

  it('says what `auto` would do, and that it is that, also where another model is the default', async () => {
    const other = await startApp({ DEFAULT_MODEL: 'tone' });
    onTestFinished(() => other.close());
    const mine = await other.guest();
    const { data } = await other.upload(UPLOAD, { file: { bytes: aged } }, {}, mine);
    const { recommended } = await diagnosed(data.uploadPhoto.photo.id, other, mine);
    expect(recommended.map(({ name }: { name: string }) => name)).toContain('denoise');
    const type = schema.getType('Diagnosis') as GraphQLObjectType;
    expect(type.getFields()['recommended']?.description).toMatch(/`auto` .*whatever DEFAULT_MODEL says/);
  });

  it('finds nothing on an undamaged photo and would leave it as it is', async () => {
    const diagnosis = await diagnosed(await upload(clean));
    expect(diagnosis.findings.filter(({ severity }: { severity: string }) => severity !== 'NONE')).toEqual([]);
    expect(diagnosis.jpegQuality.value).toBe(100);
    expect(diagnosis.noise.value).toBeLessThan(1);
    expect(diagnosis.summary).toBe('No damage was found that could be measured.');
    expect(diagnosis.recommended).toEqual([]);
  });

  it('is made when it is asked for of a photo from before there were any, once', async () => {
    const id = await upload(clean);
    await idle(app);
    await sql(app, 'delete from diagnosis where photo_id = ?', [localId('Photo', id)]);
    expect(await Promise.all([ask(id), ask(id), ask(id)])).toEqual([null, null, null]);
    await diagnosed(id);
    await idle(app);
    expect(await rowsOf(id)).toHaveLength(1);
  });

  it('is asked for of many such photos with as few statements that read as for one', async () => {
    const mine = await app.guest();
    const small = (level: number) =>
      sharp({ create: { width: 40, height: 30, channels: 3, background: { r: level, g: 90, b: 40 } } })
        .png()
        .toBuffer();
    const photoIds: string[] = [];
    for (let n = 0; n < 12; n++) photoIds.push(await upload(await small(20 * n), mine));
    await idle(app);
    const forget = () => sql(app, 'delete from diagnosis where photo_id in (select id from photo where width = 40)');
    const reads = async (ids: string[]): Promise<number> => {
      await forget();
      const query = 'query ($ids: [ID!]!) { photos(ids: $ids) { diagnosis { summary } } }';
      const done = await statementsOf(app, () => app.ok(query, { ids }, mine));
      await idle(app);
      return done.filter(({ sql: text }) => /^select/i.test(text) && /from `?(photo|diagnosis|job)\b/i.test(text))
        .length;
    };
    const one = await reads(photoIds.slice(0, 1));
    expect(one).toBeGreaterThan(0);
    expect(await reads(photoIds)).toBeLessThan(one + photoIds.length / 2);
    for (const id of photoIds) expect(await rowsOf(id)).toHaveLength(1);
  });

  it('says so where the file cannot be read any more', async () => {
    const id = await upload(await sharp(clean).extract({ left: 0, top: 0, width: 90, height: 80 }).png().toBuffer());
    await idle(app);
    await sql(app, 'delete from diagnosis where photo_id = ?', [localId('Photo', id)]);
    const [row] = await sql<any>(app, 'select storage_key as key from photo where id = ?', [localId('Photo', id)]);
    await writeFile(join(app.dataDir, row.key), 'no picture');
    const diagnosis = await diagnosed(id);
    expect(diagnosis).toMatchObject({ findings: [], noise: null, recommended: [] });
    expect(diagnosis.summary).toContain('cannot be read');
  });

  it('is made once, whoever else works on it, and announced once', async () => {
    const id = await upload(aged);
    await idle(app);
    const context = app.app.systemContext();
    await sql(app, 'delete from diagnosis where photo_id = ?', [localId('Photo', id)]);
    const again = () => app.app.services.diagnoses.run(context, localId('Photo', id)!);
    const before = (await eventsOf(id)).length;
    await Promise.all([again(), again()]);
    await again();
    expect(await rowsOf(id)).toHaveLength(1);
    expect(await eventsOf(id)).toHaveLength(before + 1);
  });

  it('goes with its photo, also while it is made', async () => {
    const id = await upload(await sharp(aged).rotate(90).png().toBuffer());
    await idle(app);
    expect(await rowsOf(id)).toHaveLength(1);
    await sql(app, 'delete from diagnosis where photo_id = ?', [localId('Photo', id)]);
    const running = app.app.services.diagnoses.run(app.app.systemContext(), localId('Photo', id)!);
    running.catch(() => {});
    await app.ok(DELETE, { id }, token);
    await running.catch(() => {});
    expect(await rowsOf(id)).toEqual([]);
    expect(await eventsOf(id)).toEqual([]);
    expect(await sql(app, "select 1 from job where kind = 'diagnosis'")).toEqual([]);
  });

  it('is made by the next process where this one has stopped in the middle', async () => {
    const DATA_DIR = await folderForTest();
    const first = await startApp({ DATA_DIR, SHUTDOWN_GRACE_SECONDS: '0' });
    const mine = await first.guest();
    const { data } = await first.upload(UPLOAD, { file: { bytes: aged } }, {}, mine);
    await expect
      .poll(() => sql(first, 'select 1 from job where lease_owner is not null'), { interval: 5 })
      .not.toEqual([]);
    await first.close();
    const second = await startApp({ DATA_DIR });
    try {
      expect(await diagnosed(data.uploadPhoto.photo.id, second, mine)).toMatchObject({ noise: { severity: 'STRONG' } });
    } finally {
      await second.close();
    }
  });
});

describe('what measurements mean', () => {
  const measurements = (sigma: number, quality: number): Measurements => measuredAs({ sigma, quality });
  const NO_NET = { share: null, why: 'NO_NET' } as const;
  const severities = (sigma: number, quality: number, coverage: number | null) =>
    findingsOf(measurements(sigma, quality), coverage === null ? NO_NET : { share: coverage })
      .filter(({ kind }) => ['NOISE', 'JPEG', 'DAMAGE'].includes(kind))
      .map(({ severity }) => severity);

  it.each([
    [0, 100, null, ['NONE', 'NONE', 'NONE']],
    [2, 92, 0, ['NONE', 'NONE', 'NONE']],
    [3, 85, 0.001, ['SLIGHT', 'SLIGHT', 'SLIGHT']],
    [8, 60, 0.005, ['CLEAR', 'CLEAR', 'CLEAR']],
    [20, 30, 0.02, ['STRONG', 'STRONG', 'STRONG']],
  ])('grain %d, quality %d, damage on %d', (sigma, quality, coverage, expected) => {
    expect(severities(sigma, quality, coverage)).toEqual(expected);
  });

  it('sums them up, the worst first', () => {
    expect(summaryOf(findingsOf(measurements(3, 30), NO_NET))).toBe('Found, the worst first: JPEG compression, grain.');
  });
});

describe('damageCoverage', () => {
  const signal = new AbortController().signal;
  const pixels = createPixelPool();
  afterAll(() => pixels.close());
  const source = createRaster({ width: 1000, height: 500, channels: 3, depth: 8 });
  /** Takes every so many columns of the picture for a scratch. */
  const netFor = (every: number): Nets => ({
    find: (task) =>
      task !== 'mask'
        ? undefined
        : {
            name: 'mask',
            task,
            scale: 1,
            controls: [],
            cost: 100,
            run: async (_source, mask) => {
              mask.data.forEach((_, i) => (mask.data[i] = (i % mask.width) % every === 0 ? 200 : 60));
            },
          },
  });
  const covered = (nets: Nets, typicalSigma = 1.5, sigma = 0) =>
    damageCoverage(source, { measurements: measuredAs({ sigma, typicalSigma }), nets, pixels, signal });

  it('is the share of pixels that would be repaired', async () => {
    expect(await covered(netFor(50))).toEqual({ share: 0.02 });
    expect(await covered(netFor(3000))).toEqual({ share: 0.001 });
  });

  it('is not told where there is no net, the photo is sharp and clean, or it is rather what the photo shows', async () => {
    expect(await covered({ find: () => undefined })).toEqual({ share: null, why: 'NO_NET' });
    expect(await covered(netFor(50), 0.5)).toEqual({ share: null, why: 'TOO_SHARP' });
    expect(await covered(netFor(50), 0.5, 10)).toEqual({ share: 0.02 });
    expect(await covered(netFor(10))).toEqual({ share: null, why: 'CONTENT' });
  });
});
