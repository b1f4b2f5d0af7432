import { planTiles, type TileAxis, type TilePlan } from '../../imaging/tiles.ts';
import type { Manifest } from '../manifest.ts';

/** Windows that all have the one size that a model takes, spread evenly; a short picture is filled up by reflection. */
function fixedAxis(length: number, { size, overlap }: Manifest['tile']): TileAxis {
  const count = length <= size ? 1 : Math.ceil((length - overlap) / (size - overlap));
  const starts = Array.from({ length: count }, (_, i) =>
    count === 1 ? 0 : Math.round((i * (length - size)) / (count - 1)),
  );
  const seams = starts.slice(1).map((start, i) => {
    const end = starts[i]! + size;
    const fade = Math.floor((end - start) / 4) * 2;
    const from = Math.floor((start + end - fade) / 2);
    return { from, to: from + fade };
  });
  return { size, starts, seams, length };
}

/** In pixels. Some models fill up or halve within, and cannot do with less, whatever their manifests allow. */
const PROBE = 64;

/** Side of the smallest square that a model is sure to take. */
export function probeSide({ task, tile, multiple, fixedSize }: Manifest): number {
  const isTiled = !fixedSize && (task === 'restore' || task === 'upscale');
  // The other tasks give a model squares of one size, whatever the photo.
  return isTiled ? Math.min(tile.size, Math.ceil(PROBE / multiple) * multiple) : tile.size;
}

/** Cuts a picture into windows that suit the model. */
export function planFor(picture: { width: number; height: number }, manifest: Manifest): TilePlan {
  const { tile, multiple, fixedSize } = manifest;
  if (!fixedSize) return planTiles(picture.width, picture.height, { ...tile, multiple });
  const columns = fixedAxis(picture.width, tile);
  const rows = fixedAxis(picture.height, tile);
  return { columns, rows, count: columns.starts.length * rows.starts.length };
}
