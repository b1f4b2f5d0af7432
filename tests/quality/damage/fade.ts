import { luma, mapPlanes, type Picture } from '../picture.ts';

export interface Fade {
  /** Level to which black has risen, 0–1. */
  readonly black: number;
  /** Level to which white has sunk, 0–1. */
  readonly white: number;
  readonly gamma: number;
  /** Share of the colour that is lost, 0–1. */
  readonly desaturation: number;
  /** What is left of the blue channel, 0–1; green loses a quarter of that, so the picture turns warm. */
  readonly blue: number;
}

/** Colour is lost, then contrast, then the balance: black + (white − black)·level^gamma, times the channel's cast. */
export function fade(picture: Picture, { black, white, gamma, desaturation, blue }: Fade): Picture {
  const grey = luma(picture);
  const cast = [1, 1 - (1 - blue) / 4, blue];
  return mapPlanes(picture, (plane, channel) =>
    plane.map((level, i) => {
      const paler = level + desaturation * (grey[i]! - level);
      return cast[channel]! * (black + (white - black) * Math.max(0, paler) ** gamma);
    }),
  );
}
