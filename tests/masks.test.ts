import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApp, UPLOAD, type TestApp } from './helpers/app.ts';
import { idle, picture, sql, storedFiles } from './helpers/service.ts';

const WIDTH = 160;
const HEIGHT = 120;
const BY_ID = `mutation ($id: ID!, $modelId: ID, $options: RestorationOptionsInput) {
  restorePhoto(input: { photoId: $id, modelId: $modelId, options: $options }) { restoration { id } } }`;
const WITH_MASK = `mutation ($id: ID!, $mask: Upload!, $modelId: ID!, $repair: Repair, $key: String) {
  restorePhoto(input: { photoId: $id, modelId: $modelId, idempotencyKey: $key, options: { mask: $mask, repair: $repair, outputFormat: PNG } }) {
    restoration { id options { quality repair ownMask } mask { width height own coverage url } } } }`;
const NEW_WITH_MASK = `mutation ($file: Upload!, $mask: Upload!) {
  restorePhoto(input: { file: $file, modelId: "repair", options: { mask: $mask } }) { restoration { id } } }`;
const READ = `query ($id: ID!) { restoration(id: $id) { status url options { quality repair ownMask }
  report { steps { name ran reason } } mask { url width height bytes coverage own } } }`;

/** A white bar across a photo of soft shapes, and the mask of it. */
const BAR = { left: 70, top: 0, width: 4, height: HEIGHT };
const bar = (colour: string) => ({
  input: { create: { width: BAR.width, height: BAR.height, channels: 3 as const, background: colour } },
  left: BAR.left,
  top: BAR.top,
});
const black = (width = WIDTH, height = HEIGHT): Sharp =>
  sharp({ create: { width, height, channels: 3, background: '#000000' } });
const maskOf = (image: Sharp): Promise<Buffer> => image.toColourspace('b-w').png().toBuffer();

let app: TestApp;
let token: string;
let photoId: string;
let clean: Buffer;
let mask: Buffer;
beforeAll(async () => {
  app = await startApp();
  token = await app.guest();
  clean = await picture(3, WIDTH, HEIGHT).png().toBuffer();
  const hurt = await sharp(clean)
    .composite([bar('#ffffff')])
    .png()
    .toBuffer();
  mask = await maskOf(black().composite([bar('#ffffff')]));
  photoId = (await app.upload(UPLOAD, { file: { bytes: hurt, name: 'hurt.png' } }, {}, token)).data.uploadPhoto.photo
    .id;
  await idle(app);
});
afterAll(() => app.close());

const submit = (bytes: Uint8Array, variables: object = {}) =>
  app.upload(WITH_MASK, { mask: { bytes, name: 'mask.png' } }, { id: photoId, modelId: 'repair', ...variables }, token);

async function grey(image: Buffer): Promise<Buffer> {
  return sharp(image).removeAlpha().toColourspace('b-w').raw().toBuffer();
}

const fetched = async (url: string): Promise<Buffer> => Buffer.from(await (await fetch(url)).arrayBuffer());

function worst(a: Buffer, b: Buffer, inside: boolean): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const x = i % WIDTH;
    if ((x >= BAR.left && x < BAR.left + BAR.width) === inside) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  }
  return most;
}

describe("a mask of one's own", () => {
  it('is what is filled, and nothing else; it is shown and goes with the restoration', async () => {
    const { data } = await submit(mask);
    const { restoration } = data.restorePhoto;
    expect(restoration.options).toEqual({ quality: 'BALANCED', repair: 'AUTO', ownMask: true });
    expect(restoration.mask).toMatchObject({ width: WIDTH, height: HEIGHT, own: true });
    expect(restoration.mask.coverage).toBeCloseTo(BAR.width / WIDTH, 3);
    expect(await app.ended(restoration.id, token)).toMatchObject({ status: 'SUCCEEDED' });
    const { restoration: done } = await app.ok(READ, { id: restoration.id }, token);
    expect(done.report.steps).toMatchObject([{ name: 'repair', ran: true }]);

    const result = await grey(await fetched(done.url));
    const before = await grey(clean);
    expect(worst(result, before, true)).toBeLessThan(20);
    expect(worst(result, before, false)).toBe(0);
    const shown = await fetch(done.mask.url);
    expect(shown.headers.get('content-type')).toBe('image/png');
    expect(await grey(Buffer.from(await shown.arrayBuffer()))).toEqual(await grey(mask));

    const [{ storage_key: key }] = await sql(app, 'select storage_key from mask');
    expect(await storedFiles(app.dataDir)).toContain(key);
    await app.ok(
      'mutation ($id: ID!) { deleteRestoration(input: { id: $id }) { deletedRestorationId } }',
      restoration,
      token,
    );
    expect(await storedFiles(app.dataDir)).not.toContain(key);
    expect(await sql(app, 'select * from mask')).toEqual([]);
    expect((await fetch(done.mask.url)).status).toBe(404);
  });

  it('is mixed with the photo where it is dark grey', async () => {
    const half = await maskOf(black().composite([bar('#404040'), { ...bar('#ffffff'), left: 0 }]));
    const { data } = await submit(half);
    const { id } = data.restorePhoto.restoration;
    await app.ended(id, token);
    const { restoration } = await app.ok(READ, { id }, token);
    const result = await grey(await fetched(restoration.url));
    const before = await grey(clean);
    for (let y = 0; y < HEIGHT; y += 10) {
      const at = y * WIDTH + BAR.left + 1;
      expect(result[at]! - before[at]!).toBeGreaterThan((255 - before[at]!) / 2 - 16);
      expect(result[at]).toBeLessThan(240);
    }
  });

  it('may come with the photo, turned by its orientation, as a JPEG and with 16 bits', async () => {
    const turned = await picture(4, HEIGHT, WIDTH).jpeg().withMetadata({ orientation: 6 }).toBuffer();
    const shapes = black().composite([bar('#ffffff')]);
    const masks = [
      await shapes.clone().jpeg().toBuffer(),
      await shapes.clone().toColourspace('grey16').png().toBuffer(),
      // Seen as it is to be, stored on its side, as some programs write what they have turned.
      await sharp(await shapes.clone().png().toBuffer())
        .rotate(270)
        .jpeg()
        .withMetadata({ orientation: 6 })
        .toBuffer(),
    ];
    for (const bytes of masks) {
      const files = { file: { bytes: turned }, mask: { bytes } };
      const { data, errors } = await app.upload(NEW_WITH_MASK, files, {}, token);
      expect(errors).toEqual([]);
      const { id } = data.restorePhoto.restoration;
      expect(await app.ended(id, token)).toMatchObject({ status: 'SUCCEEDED' });
      const { restoration } = await app.ok(READ, { id }, token);
      expect(restoration.mask.coverage).toBeCloseTo(BAR.width / WIDTH, 2);
    }
  });

  it('can be sent back as it was shown, and gives the same result', async () => {
    const { data } = await submit(mask);
    const first = data.restorePhoto.restoration.id;
    await app.ended(first, token);
    const { restoration } = await app.ok(READ, { id: first }, token);
    const again = await submit(await fetched(restoration.mask.url));
    const second = again.data.restorePhoto.restoration.id;
    expect((await app.ended(second, token)).sha256).toBe((await app.ended(first, token)).sha256);
  });

  it('belongs to the request: the same key with another mask is CONFLICT, with the same one the same restoration', async () => {
    const key = 'mask-key';
    const first = await submit(mask, { key });
    const same = await submit(mask, { key });
    expect(same.data.restorePhoto.restoration.id).toBe(first.data.restorePhoto.restoration.id);
    const other = await submit(await maskOf(black().composite([{ ...bar('#ffffff'), left: 20 }])), { key });
    expect(other.errors[0]?.extensions.code).toBe('CONFLICT');
    const rows = await sql(app, 'select storage_key from mask');
    const files = (await storedFiles(app.dataDir)).filter((name) => name.includes('mask'));
    expect(files.toSorted()).toEqual(rows.map((row) => row.storage_key).toSorted());
  });

  it('is not shown to others, and its link does not open without its signature', async () => {
    const { data } = await submit(mask);
    const { id, mask: shown } = data.restorePhoto.restoration;
    const { restoration } = await app.ok(READ, { id }, await app.guest());
    expect(restoration).toBeNull();
    expect((await fetch(shown.url.replace(/s=./, 's=_'))).status).toBe(403);
  });
});

describe('a mask that is none', () => {
  const cases: [string, () => Promise<Buffer>, RegExp][] = [
    ['of another size', () => maskOf(black(WIDTH / 2, HEIGHT / 2)), /80 × 60 pixels, the photo 160 × 120/],
    ['on its side', () => maskOf(black(HEIGHT, WIDTH)), /must be the same/],
    ['all white', () => maskOf(black().negate()), /marks 100 % .* at most 25 %/],
    [
      'grey all over',
      () =>
        maskOf(
          black()
            .linear(1, 120)
            .composite([bar('#ffffff')]),
        ),
      /not black on 100 % .* at most 40 %/,
    ],
    ['all black', () => maskOf(black()), /marks nothing/],
    ['inverted', () => maskOf(sharp(mask).negate({ alpha: false })), /Damage is white/],
    [
      'in colour',
      () =>
        black()
          .composite([bar('#ff0000')])
          .png()
          .toBuffer(),
      /in colour/,
    ],
    [
      'white with a little blue',
      () =>
        black()
          .composite([bar('#c8c8ff')])
          .png()
          .toBuffer(),
      /in colour/,
    ],
    ['transparent', () => black().ensureAlpha(0).negate({ alpha: false }).png().toBuffer(), /marks nothing/],
    ['text', async () => Buffer.from('not a picture at all, whatever it is called'), /no picture that can be read/],
    ['empty', async () => Buffer.alloc(0), /no picture that can be read/],
    [
      'SVG',
      async () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="160" height="120"/>'),
      /no picture/,
    ],
    ['cut off', async () => mask.subarray(0, mask.length - 40), /no picture that can be read/],
    [
      'a bomb',
      async () => {
        const png = Buffer.from(mask);
        png.writeUInt32BE(60_000, 16);
        png.writeUInt32BE(60_000, 20);
        return png;
      },
      /no picture that can be read/,
    ],
  ];
  it.each(cases)('is refused in words, and nothing is stored: %s', async (_kind, make, words) => {
    await idle(app);
    const files = await storedFiles(app.dataDir);
    const counts = () =>
      sql(
        app,
        'select (select count(*) from restoration) r, (select count(*) from mask) m, (select count(*) from photo) p',
      );
    const rows = await counts();
    const bytes = await make();
    const known = await submit(bytes);
    const photo = await picture(77, WIDTH, HEIGHT).jpeg().toBuffer();
    const fresh = await app.upload(NEW_WITH_MASK, { file: { bytes: photo }, mask: { bytes } }, {}, token);
    for (const { errors } of [known, fresh]) {
      expect(errors[0]).toMatchObject({ extensions: { code: 'BAD_USER_INPUT', field: 'input.options.mask' } });
      expect(errors[0]?.message).toMatch(words);
    }
    expect(await counts()).toEqual(rows);
    expect(await storedFiles(app.dataDir)).toEqual(files);
  });

  it('is refused where the model takes none, and where no repair is asked for', async () => {
    const tone = await submit(mask, { modelId: 'tone' });
    expect(tone.errors[0]?.message).toBe('The model tone does not take mask.');
    const off = await submit(mask, { repair: 'OFF' });
    expect(off.errors[0]?.message).toContain('repair: OFF');
    const fast = await app.request(BY_ID, { id: photoId, modelId: 'tone', options: { quality: 'FAST' } }, token);
    expect(fast.errors[0]?.message).toBe('The model tone does not take quality.');
  });
});
