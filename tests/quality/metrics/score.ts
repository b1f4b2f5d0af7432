import type { Picture } from '../picture.ts';
import { alignedPsnr, psnr } from './psnr.ts';
import { ssim } from './ssim.ts';

/** How near a picture is to the clean one. */
export interface Score {
  /** dB over R, G and B. */
  readonly psnr: number;
  /** Of the luma. */
  readonly ssim: number;
  /** dB after the best affine fit of each channel. */
  readonly aligned: number;
}

export const score = (picture: Picture, clean: Picture): Score => ({
  psnr: psnr(picture, clean),
  ssim: ssim(picture, clean),
  aligned: alignedPsnr(picture, clean),
});

/** From these losses a damaged picture has ended worse than it came. */
export const LOSS = { psnr: 0.3, aligned: 0.3, ssim: 0.01 } as const;
/** An undamaged one has ended worse below these, against itself. */
export const UNTOUCHED = { ssim: 0.99, psnr: 40 } as const;

/** What has become worse, in words with the figures; empty where nothing has. */
export function harms(before: Score, after: Score, undamaged: boolean): readonly string[] {
  if (undamaged) {
    return [
      after.ssim < UNTOUCHED.ssim ? `SSIM ${after.ssim.toFixed(4)}` : '',
      after.psnr < UNTOUCHED.psnr ? `PSNR ${after.psnr.toFixed(2)} dB` : '',
    ].filter((harm) => harm !== '');
  }
  const lost = {
    psnr: before.psnr - after.psnr,
    aligned: before.aligned - after.aligned,
    ssim: before.ssim - after.ssim,
  };
  return [
    lost.psnr > LOSS.psnr ? `PSNR −${lost.psnr.toFixed(2)} dB` : '',
    lost.aligned > LOSS.aligned ? `aligned PSNR −${lost.aligned.toFixed(2)} dB` : '',
    lost.ssim > LOSS.ssim ? `SSIM −${lost.ssim.toFixed(4)}` : '',
  ].filter((harm) => harm !== '');
}
