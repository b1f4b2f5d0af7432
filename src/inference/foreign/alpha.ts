import { upscaleTile } from '../../imaging/pixels/upscale.ts';
import { createRaster, hasAlpha, type Raster } from '../../imaging/raster.ts';

/** Copies one channel into another; both rasters have the same size. */
function copyChannel(from: Raster, channel: number, to: Raster, into: number): void {
  const pixels = from.width * from.height;
  for (let i = 0; i < pixels; i++) to.data[i * to.channels + into] = from.data[i * from.channels + channel]!;
}

/** Brings the transparency over into a target that is `scale` times as large; models know nothing of it. */
export function carryAlpha(source: Raster, target: Raster, scale: 1 | 2 | 4): void {
  if (!hasAlpha(source) || !hasAlpha(target)) return;
  const [from, to] = [source.channels - 1, target.channels - 1];
  if (scale === 1) {
    copyChannel(source, from, target, to);
    return;
  }
  const small = createRaster({ ...source, channels: 1 });
  copyChannel(source, from, small, 0);
  const { width, height } = target;
  const large = createRaster({ ...target, channels: 1 });
  upscaleTile(
    { source: small, target: large, factor: scale, sigma: 1, amount: 0 },
    { x0: 0, y0: 0, x1: width, y1: height },
  );
  copyChannel(large, 0, target, to);
}
