/** Black and white point and mean of one channel, 0–1. */
export interface ChannelRange {
  readonly black: number;
  readonly white: number;
  readonly mean: number;
}

/**
 * What a photo looks like in figures: the evidence for every step and, later, a photo's diagnosis.
 * Levels are 0–1 of full scale whatever the bit depth; noise and JPEG steps are in 8-bit levels, as the literature has them.
 */
export interface Measurements {
  /** Pixels, as displayed. */
  readonly width: number;
  readonly height: number;
  /** True for grey files and for colour files that are toned in one hue (black and white, sepia, cyanotype). */
  readonly monochrome: boolean;
  readonly noise: NoiseMeasurement;
  readonly tone: ToneMeasurement;
  readonly sharpness: SharpnessMeasurement;
  readonly jpeg: JpegMeasurement;
}

export interface NoiseMeasurement {
  /**
   * Standard deviation of the grain in a colour channel before any JPEG compression, 8-bit levels; 0 where what was found may as well
   * be texture. It is what a net is told, and what a person is told.
   */
  readonly sigma: number;
  /** Standard deviation in luminance, 8-bit levels (0–255). */
  readonly luma: number;
  /** Standard deviation in the chroma planes, 8-bit levels. 0 for grey files. */
  readonly chroma: number;
  /**
   * Standard deviation of the noise in each of the 64 coefficients of an orthonormal 8×8 DCT, row by row, 8-bit levels: flat for
   * white noise, falling for grain that is larger than a pixel.
   */
  readonly spectrum: { readonly luma: readonly number[]; readonly chroma: readonly number[] };
  /** 0–1: how sure it is that this is noise and not texture. */
  readonly confidence: number;
}

export interface ToneMeasurement {
  /** Of luminance, frame and damaged borders left out. */
  readonly luminance: ChannelRange;
  /** Red, green, blue; one entry for grey files. */
  readonly channels: readonly ChannelRange[];
  /** Evidence that the picture has lost contrast by fading, 0–1. */
  readonly fade: number;
  /** Evidence of a colour cast that is not in the scene, 0–1; 0 for monochrome pictures. */
  readonly cast: number;
}

export interface SharpnessMeasurement {
  /** Blur of the sharpest edges as the σ of a Gaussian, in pixels; about 0.4–0.7 for a crisp picture. Null without edges. */
  readonly blurSigma: number | null;
  /** The same of the edge in the middle: a scratch is sharp also on a soft photo. Null without edges. */
  readonly typicalSigma: number | null;
}

export interface JpegMeasurement {
  /** Energy of steps on the 8×8 grid over that between its lines; 1 = no grid. */
  readonly blocking: number;
  /** Quality of the worst JPEG compression that the picture has been through, 1–100 in the scale of libjpeg; 100 = no trace of one. */
  readonly quality: number;
  /** True when the picture has visibly been through strong JPEG compression. */
  readonly visible: boolean;
}
