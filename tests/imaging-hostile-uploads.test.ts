import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cameraExif, exifBlock, SECRETS } from './fixtures/zoo/exif.ts';
import { GIFAR, PAYLOAD, svg, withTrailer } from './fixtures/zoo/foreign.ts';
import { hostileImages } from './fixtures/zoo/index.ts';
import { jpegWithComment, jpegWithExif, jpegWithXmp, segment, withSegments } from './fixtures/zoo/jpeg.ts';
import { apng, flatPng, pngChunk } from './fixtures/zoo/png.ts';
import { psnr } from './fixtures/zoo/psnr.ts';
import { scene, turnedFor } from './fixtures/zoo/scene.ts';
import { tiff, greyPage } from './fixtures/zoo/tiff.ts';
import { startApp, UPLOAD, type TestApp } from './helpers/app.ts';

const RESTORE_AS = `mutation ($file: Upload!, $options: RestorationOptionsInput) {
  restorePhoto(input: { file: $file, options: $options }) { photo { id } restoration { id } }
}`;
const PHOTO = `query ($id: ID!) { photo(id: $id) { width height format url renditions { name width height url } } }`;
const RESULT = `query ($id: ID!) { restoration(id: $id) { status width height url renditions { name url } error { code message } } }`;
/** IPTC in Photoshop's segment, as agencies write it: a city and a by-line. */
const IPTC = segment(
  0xed,
  Buffer.from(
    'Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x1c\x1c\x02\x5a\0\x0bSecret-City\x1c\x02\x50\0\x07Secret9',
    'latin1',
  ),
);
const PRIVATE = [...SECRETS, 'Secret-City', 'Secret9'];

let app: TestApp;
let token: string;

beforeAll(async () => {
  app = await startApp({ MAX_QUEUED_PER_SESSION: '200' });
  token = await app.guest();
});
afterAll(() => app.close());

const fetched = async (url: string) => Buffer.from(await (await fetch(url)).arrayBuffer());

/** Waits for the renditions that the queue makes after an upload. */
async function photoOf(id: string): Promise<any> {
  for (;;) {
    const { photo } = await app.ok(PHOTO, { id }, token);
    if (photo.renditions.length >= 4) return photo;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** Everything the public sees of a picture that is uploaded and restored. */
async function published(bytes: Buffer, options: object = {}) {
  const { data, errors } = await app.upload(
    RESTORE_AS,
    { file: { bytes, name: 'picture.png', type: 'image/png' } },
    { options },
    token,
  );
  expect(errors).toEqual([]);
  const { photo, restoration } = data.restorePhoto;
  const { status } = await app.ended(restoration.id, token);
  expect(status).toBe('SUCCEEDED');
  const shown = await photoOf(photo.id);
  const { restoration: result } = await app.ok(RESULT, { id: restoration.id }, token);
  const renditions = await Promise.all([...shown.renditions, ...result.renditions].map(({ url }) => fetched(url)));
  return { photo: shown, result, original: await fetched(shown.url), restored: await fetched(result.url), renditions };
}

describe('uploads over HTTP', () => {
  it('C26, C28, C30: every hostile file is refused with its code, whatever it is called', async () => {
    const wrong: unknown[] = [];
    const zoo = await hostileImages();
    for (const { name, bytes, codes } of zoo.filter(({ bytes: file }) => file.length < 5e6)) {
      const file = { bytes, name: 'photo.png', type: 'image/png' };
      const { errors, status } = await app.upload(UPLOAD, { file }, {}, token);
      const code = errors[0]?.extensions.code;
      const fits = codes.some((wanted) => wanted === code) && status === (code === 'IMAGE_TOO_LARGE' ? 413 : 400);
      if (!fits) wrong.push([name, code, status]);
    }
    expect(wrong).toEqual([]);
  });

  it('C30: nothing is fetched for an SVG, by whatever name it comes', async () => {
    let requests = 0;
    const server = createServer((_, response) => {
      requests += 1;
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const drawing = svg(`http://127.0.0.1:${port}/x.png`).toString('latin1');
      const entity = drawing.replace('file:///etc/passwd', `http://127.0.0.1:${port}/entity`);
      for (const name of ['drawing.svg', 'looks-like-svg.webp', 'photo.png']) {
        for (const text of [drawing, entity]) {
          const { errors } = await app.upload(
            UPLOAD,
            { file: { bytes: Buffer.from(text), name, type: 'image/svg+xml' } },
            {},
            token,
          );
          expect(errors[0]?.extensions.code).toBe('UNSUPPORTED_IMAGE');
        }
      }
      const carried = await scene().withXmp(entity).webp().toBuffer();
      await published(carried);
      expect(requests).toBe(0);
    } finally {
      server.close();
    }
  });

  it('C30: what a polyglot carries is in no rendition and no result', async () => {
    const pdf = Buffer.from(`%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n${PAYLOAD}\n%%EOF`);
    const jpeg = await scene().jpeg().toBuffer();
    const polyglots = {
      gifar: GIFAR(await scene().gif().toBuffer()),
      'jpeg + php': jpegWithComment(jpeg, PAYLOAD),
      'png + html': withTrailer(await scene().png().toBuffer(), PAYLOAD),
      'png with a text': flatPng(40, 30, [pngChunk('tEXt', Buffer.from(`Comment\0${PAYLOAD}`))]),
      'jpeg + pdf': withSegments(jpeg, segment(0xfe, pdf)),
    };
    for (const [name, bytes] of Object.entries(polyglots)) {
      const { restored, renditions } = await published(bytes, { metadataPolicy: 'KEEP' });
      for (const file of [restored, ...renditions]) {
        for (const trace of ['heirloom-payload', '<?php', 'evil.class', '%PDF'])
          expect([name, file.includes(trace)]).toEqual([name, false]);
      }
    }
    const { errors } = await app.upload(UPLOAD, { file: { bytes: Buffer.concat([pdf, jpeg]) } }, {}, token);
    expect(errors[0]?.extensions.code).toBe('UNSUPPORTED_IMAGE');
  });

  it('C31: eight orientations, lying and standing, give upright renditions and results of the displayed size', async () => {
    const sides = [
      [96, 64],
      [64, 96],
    ] as const;
    for (const [width, height] of sides) {
      const upright = await scene(width, height).png().toBuffer();
      const pixels = await sharp(upright).raw().toBuffer();
      for (let orientation = 1; orientation <= 8; orientation++) {
        const turned = await sharp(await turnedFor(orientation, upright))
          .jpeg({ quality: 97, chromaSubsampling: '4:4:4' })
          .toBuffer();
        const bytes = jpegWithExif(turned, exifBlock({ 0x0112: { short: [orientation] } }));
        const made = await published(bytes, {
          strength: 0,
          outputFormat: 'PNG',
          metadataPolicy: orientation % 2 === 0 ? 'KEEP' : 'STRIP_PRIVATE',
        });
        const name = `${width}x${height}, orientation ${orientation}`;
        expect([name, made.photo.width, made.photo.height]).toEqual([name, width, height]);
        expect([name, made.result.width, made.result.height]).toEqual([name, width, height]);
        const large = made.photo.renditions.find((rendition: any) => rendition.name === 'LARGE');
        for (const file of [made.restored, await fetched(large.url)]) {
          const image = sharp(file);
          expect([name, (await image.metadata()).orientation ?? 1]).toEqual([name, 1]);
          const shown = await image.removeAlpha().toColourspace('srgb').raw().toBuffer();
          expect(psnr(shown, pixels), `${name}`).toBeGreaterThan(30);
        }
      }
    }
  });

  it('C33: of an animation or of many pages the first is shown and restored', async () => {
    const bright = { create: { width: 32, height: 24, channels: 3 as const, background: '#e0e0e0' } };
    const dark = { create: { width: 32, height: 24, channels: 3 as const, background: '#181818' } };
    const frames = [await sharp(bright).png().toBuffer(), await sharp(dark).png().toBuffer()];
    const animation = () => sharp(frames, { join: { animated: true } });
    const pages = Buffer.concat([Buffer.alloc(16, 224), Buffer.alloc(16, 24)]);
    const files = {
      gif: await animation().gif().toBuffer(),
      webp: await animation().webp({ lossless: true }).toBuffer(),
      apng: apng(32, 24, 3),
      tiff: tiff([greyPage(4, 4), greyPage(4, 4)], { data: pages }),
    };
    for (const [name, bytes] of Object.entries(files)) {
      const { photo, result, restored, renditions } = await published(bytes, { strength: 0 });
      expect([name, photo.height, result.height]).toEqual([name, name === 'tiff' ? 4 : 24, name === 'tiff' ? 4 : 24]);
      for (const file of [restored, ...renditions]) {
        const [metadata, { channels }] = [await sharp(file).metadata(), await sharp(file).stats()];
        expect([name, metadata.pages ?? 1, (channels[0]?.mean ?? 0) > 190]).toEqual([name, 1, true]);
      }
    }
  });

  it('C34: places, serial numbers, XMP and IPTC are in nothing that is public; the original is as it was', async () => {
    const jpeg = await scene(200, 150).jpeg().toBuffer();
    const photo = withSegments(
      jpegWithXmp(jpegWithExif(jpeg, cameraExif(6)), '<x:xmpmeta>SECRET-XMP-55</x:xmpmeta>'),
      IPTC,
    );
    const exif = await sharp(photo).metadata();
    const webp = await sharp(photo).keepMetadata().webp().toBuffer();
    expect(PRIVATE.filter((secret) => !photo.includes(secret))).toEqual([]);
    expect([exif.iptc !== undefined, exif.xmp !== undefined, exif.exif !== undefined]).toEqual([true, true, true]);
    for (const bytes of [photo, webp]) {
      for (const metadataPolicy of ['STRIP_PRIVATE', 'STRIP_ALL', 'KEEP']) {
        const { original, restored, renditions } = await published(bytes, { metadataPolicy });
        expect(original.equals(bytes)).toBe(true);
        for (const file of metadataPolicy === 'KEEP' ? renditions : [restored, ...renditions]) {
          expect(PRIVATE.filter((secret) => file.includes(secret))).toEqual([]);
          const metadata = await sharp(file).metadata();
          expect([metadata.xmp, metadata.iptc, metadata.orientation ?? 1]).toEqual([undefined, undefined, 1]);
        }
        for (const file of renditions) expect((await sharp(file).metadata()).exif).toBeUndefined();
        expect(restored.includes('BODY-SERIAL-77')).toBe(metadataPolicy === 'KEEP');
        expect(restored.includes('Ada Artist')).toBe(metadataPolicy !== 'STRIP_ALL');
      }
    }
  });
});
