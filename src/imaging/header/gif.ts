import { damaged, tooLarge } from '../refusals.ts';
import type { HeaderReader } from './header.ts';
import type { ByteSource } from './source.ts';

const MAX_BLOCKS = 100_000;
/** Sub-blocks of at most 255 bytes: enough for 60 MB of pixels, little enough to count in a moment. */
const MAX_SUB_BLOCKS = 500_000;

const tableBytes = (flags: number) => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));

/** GIF89a: the screen, widened by any frame that reaches beyond it, and the number of frames. */
export const readGifHeader: HeaderReader = async (source, checkSize, maxFrames) => {
  const head = await source.read(0, 13);
  if (head.length < 13) throw damaged('GIF');
  let width = head.readUInt16LE(6);
  let height = head.readUInt16LE(8);
  checkSize({ width, height, channels: 4, bitsPerSample: 8 });
  let offset = 13 + tableBytes(head.readUInt8(10));
  let frames = 0;
  const left = { subBlocks: MAX_SUB_BLOCKS };
  for (let blocks = 0; offset < source.size; blocks++) {
    if (blocks > MAX_BLOCKS) throw tooLarge('This GIF file has too many parts. Save it again and retry.');
    const block = await source.read(offset, 10);
    const kind = block[0];
    if (kind === 0x21) offset = await skipSubBlocks(source, offset + 2, left);
    else if (kind === 0x2c && block.length === 10) {
      frames += 1;
      width = Math.max(width, block.readUInt16LE(1) + block.readUInt16LE(5));
      height = Math.max(height, block.readUInt16LE(3) + block.readUInt16LE(7));
      checkSize({ width, height, channels: 4, bitsPerSample: 8 });
      if (maxFrames > 0 && frames > maxFrames) break;
      offset = await skipSubBlocks(source, offset + 11 + tableBytes(block.readUInt8(9)), left);
    } else break; // The trailer, or nothing that a decoder would read on from.
  }
  if (frames === 0 || width === 0 || height === 0) throw damaged('GIF');
  return { format: 'gif', width, height, channels: 4, bitsPerSample: 8, frames };
};

async function skipSubBlocks(source: ByteSource, from: number, left: { subBlocks: number }): Promise<number> {
  let offset = from;
  for (;;) {
    const chunk = await source.read(offset, 16 * 1024);
    if (chunk.length === 0) return source.size;
    let i = 0;
    while (i < chunk.length) {
      if (left.subBlocks-- <= 0) throw tooLarge('This GIF file has too many parts. Save it again and retry.');
      const length = chunk[i] ?? 0;
      i += 1 + length;
      if (length === 0) return offset + i;
    }
    offset += i;
  }
}
