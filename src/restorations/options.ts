import type { OutputFormat } from '../imaging/encode.ts';
import type { MetadataPolicy } from '../imaging/metadata.ts';

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

/** What a restoration was asked to do, all defaults filled in. */
export interface RestorationOptions {
  strength: number;
  upscale: number;
  outputFormat: OutputFormat;
  /** 1 to 100; null = the format's default. */
  outputQuality: number | null;
  metadataPolicy: MetadataPolicy;
  parameters: Record<string, unknown>;
}
