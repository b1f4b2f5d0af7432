import sharp, { type Exif as SharpExif, type Sharp } from 'sharp';
import { metadataOf } from './company.ts';
import { ALL_TAGS, PUBLIC_TAGS } from './exif-tags.ts';
import { readExif, type Exif } from './exif.ts';

/**
 * What of the original's metadata a result carries.
 *
 * - `KEEP`: EXIF (camera, dates, author, place, serial numbers), XMP and the density.
 * - `STRIP_PRIVATE`: camera, lens, exposure, dates, author, copyright, description and the density; no place,
 *   serial number, owner, maker note, thumbnail or XMP.
 * - `STRIP_ALL`: nothing.
 */
export type MetadataPolicy = 'KEEP' | 'STRIP_PRIVATE' | 'STRIP_ALL';

/** Metadata ready to be written. */
export interface CarriedMetadata {
  readonly exif?: SharpExif;
  readonly xmp?: string;
  /** Pixels per inch. */
  readonly density?: number;
}

/** A JPEG segment holds 64 KB; longer XMP would be split in ways that readers do not follow. */
const MAX_XMP = 60_000;

/** libvips cuts a trailing ` (…)` off every string, since it writes its own there; this gives it one to cut. */
const forLibvips = (value: string) => `${value} (heirloom)`;

function chosen(exif: Exif, tags: typeof PUBLIC_TAGS): SharpExif | null {
  const result: Record<string, Record<string, string>> = {};
  for (const name of ['IFD0', 'IFD2', 'IFD3'] as const) {
    const entries = Object.entries(tags[name]).flatMap(([tag, label]) => {
      const value = exif[name].get(Number(tag));
      return value === undefined ? [] : [[label, forLibvips(value)] as const];
    });
    if (entries.length > 0) result[name] = Object.fromEntries(entries);
  }
  return Object.keys(result).length > 0 ? (result as SharpExif) : null;
}

/** The pixels are upright, so an orientation that XMP repeats must say so too. */
const upright = (xmp: string) => xmp.replace(/(tiff:Orientation(?:\s*=\s*["']|\s*>\s*))[2-8]/g, '$11');

/**
 * The metadata of an original that `policy` lets through. Never throws: a file without readable metadata
 * yields none.
 */
export async function metadataFrom(path: string, policy: MetadataPolicy): Promise<CarriedMetadata> {
  if (policy === 'STRIP_ALL') return {};
  const found = await metadataOf(sharp(path, { limitInputPixels: false })).catch(() => null);
  if (found === null) return {};
  const { density, xmpAsString } = found;
  const exif = chosen(readExif(found.exif), policy === 'KEEP' ? ALL_TAGS : PUBLIC_TAGS);
  const keepsXmp = policy === 'KEEP' && xmpAsString && xmpAsString.length <= MAX_XMP;
  return {
    ...(exif === null ? {} : { exif }),
    ...(keepsXmp ? { xmp: upright(xmpAsString) } : {}),
    ...(density !== undefined && density > 0 && density <= 100_000 ? { density } : {}),
  };
}

/** Adds metadata to an output whose pixels came in bare. */
export function withCarriedMetadata(image: Sharp, { exif, xmp, density }: CarriedMetadata): Sharp {
  let result = image;
  if (density !== undefined) result = result.withDensity(density);
  if (exif !== undefined) result = result.withExif(exif);
  if (xmp !== undefined) result = result.withXmp(xmp);
  return result;
}
