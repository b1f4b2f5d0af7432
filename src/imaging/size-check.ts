import type { SizeCheck } from './header/header.ts';
import type { ImageLimits } from './limits.ts';
import { tooLarge } from './refusals.ts';

/**
 * Holds a header's size against the limits.
 *
 * @throws AppError IMAGE_TOO_LARGE naming the limit that is broken.
 */
export function sizeCheck(limits: ImageLimits): SizeCheck {
  return ({ width, height, channels, bitsPerSample }) => {
    const { maxSide, maxMegapixels, maxDecodedBytes } = limits;
    const size = `${width} × ${height} pixels`;
    if (maxSide > 0 && Math.max(width, height) > maxSide) {
      throw tooLarge(
        `The picture is ${size}; the longest side may have ${maxSide}. Make it smaller and upload it again.`,
      );
    }
    if (maxMegapixels > 0 && width * height > maxMegapixels * 1e6) {
      throw tooLarge(
        `The picture is ${size}; at most ${maxMegapixels} megapixels are taken. Make it smaller and retry.`,
      );
    }
    const bytesPerSample = Math.max(1, 2 ** Math.ceil(Math.log2(bitsPerSample / 8)));
    if (width * height * channels * bytesPerSample > maxDecodedBytes) {
      throw tooLarge(
        `The picture is ${size} and needs too much memory. Make it smaller, or save it with 8 bits per colour.`,
      );
    }
  };
}
