import type { Coverage } from '../imaging/measure/coverage.ts';
import type { Measurements } from '../imaging/measure/measurements.ts';

/** How much of it there is, for a person. */
export const SEVERITIES = {
  NONE: 'Nothing that calls for a repair, or it could not be measured.',
  SLIGHT: 'There, but hardly seen.',
  CLEAR: 'Plainly seen.',
  STRONG: 'It spoils the photo.',
} as const;
export type Severity = keyof typeof SEVERITIES;

/** What is looked for, with the unit of its value. */
export const FINDINGS = {
  NOISE: 'Grain or sensor noise. Value: its standard deviation in a colour channel, 8-bit levels; 0 = none.',
  JPEG: 'JPEG compression. Value: the worst quality it has been saved with, 1–100 on the scale of libjpeg; 100 = no trace.',
  FADE: 'Contrast lost by fading. Value: the evidence for it, 0–1.',
  CAST: 'A colour cast that is not in the scene. Value: the evidence for it, 0–1.',
  SOFTNESS: 'Blur of the sharpest edges. Value: σ of a Gaussian, pixels; null where there are no edges.',
  DAMAGE:
    'Scratches and dust. Value: the share of pixels that they cover, 0–1; null where nobody can tell, as the line says: in a photo that is sharp and clean they look like what it shows.',
  MONOCHROME: 'Whether the photo is in one hue (black and white, sepia). Value: 1 = it is, 0 = it is in colour.',
} as const;
export type FindingKind = keyof typeof FINDINGS;

export interface Finding {
  readonly kind: FindingKind;
  readonly value: number | null;
  readonly severity: Severity;
  /** One plain sentence. */
  readonly line: string;
}

type Level = Exclude<Severity, 'NONE'>;
const LEVELS: readonly Level[] = ['SLIGHT', 'CLEAR', 'STRONG'];
type Limits = readonly [slight: number, clear: number, strong: number];

/** From where on a value counts as slight, clear and strong; JPEG as what is missing to 100. */
const LIMITS = {
  NOISE: [2.2, 6, 14],
  JPEG: [12, 25, 50],
  FADE: [0.25, 0.5, 0.8],
  CAST: [0.25, 0.5, 0.8],
  SOFTNESS: [0.65, 0.9, 1.4],
  DAMAGE: [0.0005, 0.003, 0.015],
} as const satisfies Partial<Record<FindingKind, Limits>>;

function severityOf(value: number, limits: Limits): Severity {
  return LEVELS.findLast((_, i) => value >= limits[i as 0 | 1 | 2]) ?? 'NONE';
}

const ADJECTIVES: Record<Level, string> = { SLIGHT: 'Slight', CLEAR: 'Clear', STRONG: 'Strong' };
const percent = (share: number): string => `${(share * 100).toFixed(share < 0.01 ? 2 : 0)} %`;

/** Why nobody can say how much of a photo is damaged. */
const UNTOLD = {
  NO_NET: 'Scratches and dust could not be looked for: no net for it can be used here.',
  TOO_SHARP:
    'Neither grain nor softness tells fine lines from what the photo shows, so that nobody has looked for scratches; repair: FORCE does.',
  CONTENT: 'What looks like scratches and dust is so much that it is rather what the photo shows.',
} as const;

/** What the measurements mean, in the order of `FINDINGS`. Pure. */
export function findingsOf({ noise, jpeg, tone, sharpness, monochrome }: Measurements, damage: Coverage): Finding[] {
  const find = (
    kind: keyof typeof LIMITS,
    value: number | null,
    words: { none: string; some: (adjective: string) => string },
    measure = value,
  ): Finding => {
    const severity = measure === null ? 'NONE' : severityOf(measure, LIMITS[kind]);
    return { kind, value, severity, line: severity === 'NONE' ? words.none : words.some(ADJECTIVES[severity]) };
  };
  const sigma = noise.sigma.toFixed(1);
  const span = `blacks at ${percent(tone.luminance.black)}, whites at ${percent(tone.luminance.white)}`;
  const blur = sharpness.blurSigma;
  return [
    find('NOISE', noise.sigma, {
      none: 'No grain that is worth a repair.',
      some: (strong) => `${strong} grain: σ ${sigma} of 255 levels.`,
    }),
    find(
      'JPEG',
      jpeg.quality,
      {
        none: jpeg.quality < 100 ? `Hardly compressed: JPEG quality ${jpeg.quality}.` : 'No trace of JPEG compression.',
        some: (strong) => `${strong} JPEG compression: quality ${jpeg.quality} of 100.`,
      },
      100 - jpeg.quality,
    ),
    find('FADE', tone.fade, {
      none: `The contrast is fine: ${span}.`,
      some: (strong) => `${strong} fading: ${span}.`,
    }),
    find('CAST', tone.cast, {
      none: monochrome ? 'In one hue, so there is no cast to judge.' : 'No colour cast from fading.',
      some: (strong) => `${strong} colour cast: the colours have faded unevenly.`,
    }),
    find('SOFTNESS', blur, {
      none: blur === null ? 'There are no edges to judge the sharpness by.' : 'The photo is sharp.',
      some: (strong) => `${strong} softness: the sharpest edges are blurred by ${(blur ?? 0).toFixed(1)} pixels.`,
    }),
    find('DAMAGE', damage.share, {
      none: damage.share === null ? UNTOLD[damage.why] : 'No scratches and no dust were found.',
      some: (strong) => `${strong} damage: scratches or dust on ${percent(damage.share ?? 0)} of the photo.`,
    }),
    {
      kind: 'MONOCHROME',
      value: monochrome ? 1 : 0,
      severity: 'NONE',
      line: monochrome ? 'The photo is in one hue and stays so.' : 'The photo is in colour.',
    },
  ];
}

const NAMES: Partial<Record<FindingKind, string>> = {
  NOISE: 'grain',
  JPEG: 'JPEG compression',
  FADE: 'fading',
  CAST: 'a colour cast',
  SOFTNESS: 'softness',
  DAMAGE: 'scratches or dust',
};

/** The findings in one sentence, the worst first. */
export function summaryOf(findings: readonly Finding[]): string {
  const worst = LEVELS.toReversed().flatMap((level) => findings.filter(({ severity }) => severity === level));
  const names = worst.flatMap(({ kind }) => NAMES[kind] ?? []);
  if (names.length === 0) return 'No damage was found that could be measured.';
  return `Found, the worst first: ${names.join(', ')}.`;
}
