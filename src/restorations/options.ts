import type { Repair } from '../imaging/damage-mask.ts';
import type { OutputFormat } from '../imaging/encode.ts';
import type { MetadataPolicy } from '../imaging/metadata.ts';
import type { Quality } from '../imaging/nets.ts';

/** What a person is told about each format. */
export const OUTPUT_FORMAT_DOCS: Record<OutputFormat, string> = {
  ORIGINAL: 'That of the photo; TIFF, BMP and GIF become PNG, AVIF becomes WebP.',
  JPEG: 'Small, for photographs.',
  PNG: 'Lossless, keeps 16 bits and transparency.',
  WEBP: 'Smaller than JPEG, keeps transparency.',
};

/** What a person is told about each policy. */
export const METADATA_POLICY_DOCS: Record<MetadataPolicy, string> = {
  KEEP: 'Everything the photo carries, place and serial numbers included.',
  STRIP_PRIVATE: 'Camera, lens, date, author and description stay; place, serial numbers, owner and XMP go.',
  STRIP_ALL: 'Nothing stays.',
};

/** What a person is told about each quality. */
export const QUALITY_DOCS: Record<Quality, string> = {
  FAST: 'The small nets, damage looked for in one pass over a reduced copy, enlarged in one pass.',
  BALANCED: 'The large nets, damage looked for at full size as well, enlarged in two passes.',
  BEST: 'As BALANCED, with a second look at the photo mirrored, enlarged in four passes.',
};

/** What a person is told about each way to repair. */
export const REPAIR_DOCS: Record<Repair, string> = {
  AUTO: 'Where the photo is soft or grainy, as old ones are, or where you have picked the model for just that.',
  OFF: 'Never.',
  FORCE: 'Always.',
};

/** What a restoration was asked to do, all defaults filled in. */
export interface RestorationOptions {
  strength: number;
  upscale: number;
  /** Of rows from before there was a choice, it is not there. */
  quality?: Quality;
  repair?: Repair;
  /** Whether its owner gave a mask, which lies beside the result. */
  ownMask?: boolean;
  outputFormat: OutputFormat;
  /** 1 to 100; null = the format's default. */
  outputQuality: number | null;
  metadataPolicy: MetadataPolicy;
  parameters: Record<string, unknown>;
}
