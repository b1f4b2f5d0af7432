import type { Quality } from '../../../src/imaging/nets.ts';
import type { KindName } from '../damage/kinds.ts';
import type { Trial } from '../run.ts';
import type { Seam } from '../seams.ts';
import { mean, summarise, type Summary } from './summary.ts';

/** One figure that was promised. */
export interface Figure {
  readonly what: string;
  /** What was measured, in words with its unit; “not there” where nothing could be. */
  readonly value: string;
  readonly must: string;
  readonly aim: string;
  readonly verdict: 'pass' | 'FAIL' | 'not there';
}

const DEFAULT_MODEL = 'auto';
const NOT_THERE = 'not there';

const signed = (value: number, digits: number): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** @param measured undefined where one of the two sides was not run. */
function figure(
  what: string,
  bounds: { readonly must: string; readonly aim: string },
  measured: { readonly value: string; readonly holds: boolean } | undefined,
): Figure {
  if (measured === undefined) return { what, ...bounds, value: NOT_THERE, verdict: NOT_THERE };
  return { what, ...bounds, value: measured.value, verdict: measured.holds ? 'pass' : 'FAIL' };
}

/** The table of figures, worked out from the trials. */
export function figuresOf(
  trials: readonly Trial[],
  quality: Quality,
  baselinesMissing: boolean,
  seams: readonly Seam[] = [],
): readonly Figure[] {
  const lines = summarise(trials);
  const line = (kind: KindName, method: string): Summary | undefined =>
    lines.find((one) => one.kind === kind && one.method === method);

  function gain(kind: KindName, method: string, against: string, must: { psnr: number; ssim?: number }) {
    const [ours, theirs] = [line(kind, method), line(kind, against)];
    if (ours === undefined || theirs === undefined) return undefined;
    const psnr = ours.score.psnr - theirs.score.psnr;
    const ssim = ours.score.ssim - theirs.score.ssim;
    const value = `${signed(psnr, 2)} dB, SSIM ${signed(ssim, 3)} (${shown(ours)} to ${shown(theirs)})`;
    return { value, holds: psnr >= must.psnr && ssim >= (must.ssim ?? -Infinity) };
  }

  function maskOf(kind: KindName, must: number) {
    const candidates = ['repair (FORCE)', 'repair', DEFAULT_MODEL].map((method) => line(kind, method));
    const found = candidates.find((one) => one?.f1 !== undefined);
    if (found?.f1 === undefined) return undefined;
    const value = `${found.f1.strict.toFixed(3)} (${found.f1.near.toFixed(3)} with one pixel forgiven), ${found.method}`;
    return { value, holds: found.f1.strict >= must };
  }

  function untouched() {
    const undamaged = line('undamaged', DEFAULT_MODEL);
    if (undamaged === undefined) return undefined;
    const share = undamaged.harmed / undamaged.count;
    const value = `SSIM ${undamaged.score.ssim.toFixed(4)}, harm rate ${percent(share)} of ${undamaged.count}`;
    return { value, holds: undamaged.score.ssim >= 0.99 && share <= 0.03 };
  }

  function harmRate() {
    const own = trials.filter(({ method }) => method === DEFAULT_MODEL);
    if (own.length === 0) return undefined;
    const share = mean(own.map(({ harms }) => (harms.length > 0 ? 1 : 0)));
    return { value: `${percent(share)} of ${own.length}`, holds: share <= 0.03 };
  }

  function cost(level: Quality, must: number) {
    const graded = lines.some(({ method }) => method.startsWith(`${DEFAULT_MODEL} (`));
    const found = graded ? line('mix', level === quality ? DEFAULT_MODEL : `${DEFAULT_MODEL} (${level})`) : undefined;
    if (found === undefined) return undefined;
    return { value: `${(found.msPerMp / 1000).toFixed(2)} s/MP`, holds: found.msPerMp / 1000 <= must };
  }

  function seam() {
    if (seams.length === 0) return undefined;
    const value = seams
      .map(({ net, value: far, unit }) => (unit === 'F1' ? `${net} F1 ${far.toFixed(3)}` : `${net} ${far}/255`))
      .join(', ');
    return { value, holds: seams.every(({ value: far, unit }) => (unit === 'F1' ? far >= 0.99 : far <= 2)) };
  }

  const note = baselinesMissing ? ' (needs --baselines all)' : '';
  return [
    figure(
      `mix, ${DEFAULT_MODEL} against the best classical chain${note}`,
      { must: '≥ +2.0 dB and ≥ +0.11 SSIM', aim: '+3.5 dB' },
      gain('mix', DEFAULT_MODEL, 'classical-chain', { psnr: 2, ssim: 0.11 }),
    ),
    figure(
      `grain, ${DEFAULT_MODEL} against strong non-local means${note}`,
      { must: '≥ +3.0 dB', aim: '+3.5 dB' },
      gain('grain', DEFAULT_MODEL, 'nlm', { psnr: 3 }),
    ),
    figure(
      `JPEG 30–60, ${DEFAULT_MODEL} against doing nothing`,
      { must: '≥ +0.5 dB', aim: '+1.0 dB' },
      gain('jpeg', DEFAULT_MODEL, 'nothing', { psnr: 0.5 }),
    ),
    figure(
      `fade, ${DEFAULT_MODEL} against doing nothing`,
      { must: '≥ +3.4 dB', aim: '+5 dB' },
      gain('fade', DEFAULT_MODEL, 'nothing', { psnr: 3.4 }),
    ),
    figure(
      `scratches on sharp photos, ${DEFAULT_MODEL} against doing nothing`,
      { must: '≥ 0 dB', aim: '+3 dB' },
      gain('scratches', DEFAULT_MODEL, 'nothing', { psnr: 0 }),
    ),
    figure('scratches on sharp photos, F1 of the mask', { must: '≥ .85', aim: '–' }, maskOf('scratches', 0.85)),
    figure(
      'scratches on soft, grainy photos, F1 of the mask',
      { must: '≥ .94', aim: '.97' },
      maskOf('soft-scratches', 0.94),
    ),
    figure(
      '×2, upscale-2x against Lanczos + unsharp',
      { must: '≥ +0.5 dB, SSIM not lower', aim: '+1.5 dB' },
      gain('half', 'upscale-2x', 'lanczos-unsharp', { psnr: 0.5, ssim: 0 }),
    ),
    figure(
      `undamaged photos through ${DEFAULT_MODEL}`,
      { must: 'SSIM ≥ .99, harm rate ≤ 3 %', aim: '≤ 1 %' },
      untouched(),
    ),
    figure(`harm rate of ${DEFAULT_MODEL} over everything`, { must: '≤ 3 %', aim: '≤ 1 %' }, harmRate()),
    figure(`cost of ${DEFAULT_MODEL} at FAST, on the mix`, { must: '≤ 0.5 s/MP', aim: '–' }, cost('FAST', 0.5)),
    figure(`cost of ${DEFAULT_MODEL} at BEST, on the mix`, { must: '≤ 1.5 s/MP', aim: '–' }, cost('BEST', 1.5)),
    figure(
      'tiles against the whole picture, largest difference (of masks their F1)',
      { must: '≤ 2/255, F1 ≥ .99', aim: '–' },
      seam(),
    ),
  ];
}

const shown = ({ score }: Summary): string => `${score.psnr.toFixed(2)} / ${score.ssim.toFixed(3)}`;
