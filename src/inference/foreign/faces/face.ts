/** In pixels; 0, 0 is the corner of the first one. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A face as a detector has found it. */
export interface Face {
  /** How sure it is, 0–1. */
  readonly score: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** As they lie in the picture: left eye, right eye, tip of the nose, left and right corner of the mouth. */
  readonly points: readonly [Point, Point, Point, Point, Point];
}
