import { damaged, tooLarge, unsupported } from '../refusals.ts';
import { av1FrameSizes } from './av1.ts';
import { boxLength, boxesIn, numberReader, type Box } from './boxes.ts';
import type { HeaderReader } from './header.ts';
import type { ByteSource } from './source.ts';

const MAX_TOP_BOXES = 256;
const MAX_META = 4e6;
const MAX_ITEMS = 1024;
const MAX_EXTENTS = 32;
const TOO_MANY = 'This AVIF file has too many parts. Save it again and retry.';
/** Planes, a copy of them and the RGB: a decoder holds all of it at once and cannot work in strips. */
const DECODER_CHANNELS = 8;
const ITEM_BYTES = 16 * 1024;

interface Item {
  readonly id: number;
  readonly inMeta: boolean;
  readonly extents: readonly { readonly offset: number; readonly length: number }[];
}

async function findMeta(source: ByteSource): Promise<Box[]> {
  let offset = 0;
  for (let i = 0; i < MAX_TOP_BOXES && offset + 8 <= source.size; i++) {
    const head = await source.read(offset, 16);
    const { headerBytes, length } = boxLength(head, source.size - offset);
    if (length < headerBytes) break;
    if (head.toString('latin1', 4, 8) === 'meta') {
      if (length > MAX_META) throw tooLarge('This AVIF file carries too much metadata. Save it again without it.');
      return boxesIn(Buffer.from(await source.read(offset + headerBytes + 4, length - headerBytes - 4)));
    }
    offset += length;
  }
  throw damaged('AVIF');
}

/** The item locations of an `iloc` box, versions 0 to 2. */
function itemLocations(data: Buffer): Item[] {
  const version = data[0] ?? 0;
  const sizes = numberReader(data, 4)(2);
  const [offsetSize, lengthSize, baseSize] = [(sizes >> 12) & 15, (sizes >> 8) & 15, (sizes >> 4) & 15];
  const indexSize = version > 0 ? sizes & 15 : 0;
  const next = numberReader(data, 6);
  const count = next(version < 2 ? 2 : 4);
  if (count > MAX_ITEMS) throw tooLarge(TOO_MANY);
  return Array.from({ length: count }, () => {
    const id = next(version < 2 ? 2 : 4);
    const inMeta = version > 0 && (next(2) & 15) === 1;
    next(2);
    const base = next(baseSize);
    const extentCount = next(2);
    if (extentCount > MAX_EXTENTS) throw tooLarge(TOO_MANY);
    const extents = Array.from({ length: extentCount }, () => {
      next(indexSize);
      return { offset: base + next(offsetSize), length: next(lengthSize) };
    });
    return { id, inMeta, extents };
  });
}

/** The type of each item by its `infe` entry, e.g. `av01` or `grid`. */
export function itemTypes(iinf: Buffer): Map<number, string> {
  const types = new Map<number, string>();
  for (const { type, data } of boxesIn(iinf.subarray((iinf[0] ?? 0) === 0 ? 6 : 8))) {
    const version = data[0] ?? 0;
    if (type !== 'infe' || version < 2) continue;
    const idBytes = version === 2 ? 2 : 4;
    types.set(numberReader(data, 4)(idBytes), data.toString('latin1', 6 + idBytes, 10 + idBytes));
  }
  return types;
}

async function startOf(source: ByteSource, item: Item, idat: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  let wanted = ITEM_BYTES;
  for (const { offset, length } of item.extents) {
    if (wanted <= 0) break;
    const size = Math.min(length === 0 ? wanted : length, wanted);
    const part = item.inMeta ? idat.subarray(offset, offset + size) : Buffer.from(await source.read(offset, size));
    parts.push(part);
    wanted -= part.length;
  }
  return Buffer.concat(parts);
}

function gridSize(data: Buffer): { width: number; height: number } {
  const bytes = ((data[1] ?? 0) & 1) === 0 ? 2 : 4;
  const next = numberReader(data, 4);
  return { width: next(bytes), height: next(bytes) };
}

/**
 * AVIF (ISO/IEC 23008-12 with AV1): the size is the largest that any property, grid or AV1 sequence header
 * declares, since what is decoded follows the stream and not the `ispe` box.
 */
export const readAvifHeader: HeaderReader = async (source, checkSize) => {
  const meta = await findMeta(source);
  const inMeta = (type: string) => meta.find((box) => box.type === type)?.data ?? Buffer.alloc(0);
  const properties = boxesIn(inMeta('iprp'))
    .filter((box) => box.type === 'ipco')
    .flatMap((box) => boxesIn(box.data));
  if (properties.some((box) => box.type === 'hvcC')) {
    throw unsupported('HEIC photos cannot be read here. Export the photo as JPEG and upload that.');
  }
  const deep = properties.some((box) => box.type === 'av1C' && ((box.data[2] ?? 0) & 0x40) !== 0);
  const bitsPerSample = deep ? 16 : 8;
  let width = 0;
  let height = 0;
  const hold = (size: { width: number; height: number }) => {
    checkSize({ ...size, channels: DECODER_CHANNELS, bitsPerSample });
    width = Math.max(width, size.width);
    height = Math.max(height, size.height);
  };
  for (const { type, data } of properties) {
    const next = numberReader(data, 4);
    if (type === 'ispe') hold({ width: next(4), height: next(4) });
    if (type === 'av1C') av1FrameSizes(data.subarray(4)).forEach(hold);
  }
  const types = itemTypes(inMeta('iinf'));
  for (const item of itemLocations(inMeta('iloc'))) {
    const type = types.get(item.id);
    if (type !== 'grid' && type !== 'av01') continue;
    // A decoder would leave the missing tile of a grid black and say nothing.
    if (!item.inMeta && item.extents.some(({ offset, length }) => offset + length > source.size)) throw damaged('AVIF');
    const data = await startOf(source, item, inMeta('idat'));
    if (type === 'grid') hold(gridSize(data));
    else av1FrameSizes(data).forEach(hold);
  }
  if (width === 0 || height === 0) throw damaged('AVIF');
  // Not strips, but it holds less of what is 4:2:0.
  const inStrips = properties.every((box) => box.type !== 'av1C' || ((box.data[2] ?? 0) & 0x0c) === 0x0c);
  const tiled = [...types.values()].includes('grid');
  return { format: 'avif', width, height, channels: 4, bitsPerSample, frames: 1, tiled, inStrips };
};
