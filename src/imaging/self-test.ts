import sharp from 'sharp';

const FORMATS = ['jpeg', 'png', 'webp', 'tiff', 'gif', 'avif'] as const;
const SIDE = 16;

/** Versions of the native libraries behind this folder, by name. */
export function imagingVersions(): { sharp: string; vips: string } {
  const { sharp: version, vips } = sharp.versions;
  return { sharp: version ?? 'unknown', vips };
}

/** Writes and reads a small picture in each format that is taken. @returns the formats that this installation cannot. */
export async function brokenFormats(): Promise<string[]> {
  const grey = { create: { width: SIDE, height: SIDE, channels: 3 as const, background: '#808080' } };
  const tried = await Promise.allSettled(
    FORMATS.map(async (format) => {
      const file = await sharp(grey).toFormat(format).toBuffer();
      const [level = 0] = await sharp(file).raw().toBuffer();
      if (Math.abs(level - 0x80) > 8) throw new Error(`${format} comes back as ${level}`);
    }),
  );
  return FORMATS.filter((_format, index) => tried[index]?.status === 'rejected');
}
