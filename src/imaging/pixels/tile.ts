/** A rectangle of an area, in pixels; the ends are exclusive. */
export interface Tile {
  readonly x0: number;
  readonly y0: number;
  readonly x1: number;
  readonly y1: number;
}

/** Cuts an area into tiles, in reading order; those at the right and lower edge are what is left over. */
export function cutTiles(area: { width: number; height: number; tileWidth?: number; tileHeight?: number }): Tile[] {
  const { width, height, tileWidth = 256, tileHeight = 256 } = area;
  const tiles: Tile[] = [];
  for (let y0 = 0; y0 < height; y0 += tileHeight) {
    for (let x0 = 0; x0 < width; x0 += tileWidth) {
      tiles.push({ x0, y0, x1: Math.min(x0 + tileWidth, width), y1: Math.min(y0 + tileHeight, height) });
    }
  }
  return tiles;
}

/** `tile` grown by `halo` on every side, not beyond the picture. */
export function growTile(tile: Tile, halo: number, width: number, height: number): Tile {
  return {
    x0: Math.max(0, tile.x0 - halo),
    y0: Math.max(0, tile.y0 - halo),
    x1: Math.min(width, tile.x1 + halo),
    y1: Math.min(height, tile.y1 + halo),
  };
}
