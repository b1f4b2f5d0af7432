import sharp from 'sharp';

/** The loaders a photo needs; every other one (SVG, PDF, ImageMagick, vips, CSV, matrix, Ultra HDR …) stays shut. */
const LOADERS = [
  'VipsForeignLoadJpeg',
  'VipsForeignLoadPng',
  'VipsForeignLoadWebp',
  'VipsForeignLoadTiff',
  'VipsForeignLoadHeif',
  'VipsForeignLoadNsgif',
];

/**
 * Sets sharp up for the whole process; call it once, before the first picture.
 *
 * - The operation cache is off: no photo is opened often enough to pay for the memory and the open files.
 * - One native thread per picture: jobs run side by side anyway, and on few cores more threads bring nothing but memory.
 * - Loaders are closed by an allow-list, so that a new one in a later libvips is closed too.
 */
export function configureSharp(options: { /** Native threads per picture. Default 1. */ threads?: number } = {}): void {
  sharp.cache(false);
  sharp.concurrency(options.threads ?? 1);
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: LOADERS });
}
