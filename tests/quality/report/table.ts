import type { Figure } from './figures.ts';
import type { Summary } from './summary.ts';

const BEGIN = '<!-- quality -->';
const END = '<!-- /quality -->';

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** A line per kind and method. */
export function methodTable(lines: readonly Summary[]): string {
  const cells = (one: Summary): string[] => [
    one.kind,
    one.own ? `**${one.method}**` : one.method,
    one.score.psnr.toFixed(2),
    one.score.ssim.toFixed(3),
    one.score.aligned.toFixed(2),
    `${one.harmed} of ${one.count}`,
    one.f1 === undefined ? '–' : `${one.f1.strict.toFixed(3)} (${one.f1.near.toFixed(3)})`,
    one.method === 'nothing' ? '–' : one.msPerMp.toFixed(0),
    one.method === 'nothing' ? '–' : one.cpuMsPerMp.toFixed(0),
    one.peakRss === undefined ? '–' : (one.peakRss / 1e6).toFixed(0),
  ];
  return [
    row([
      'damage',
      'method',
      'PSNR dB',
      'SSIM',
      'aligned PSNR dB',
      'harmed',
      'mask F1',
      'ms/MP',
      'CPU ms/MP',
      'peak RSS MB',
    ]),
    row(['---', '---', '---:', '---:', '---:', '---:', '---:', '---:', '---:', '---:']),
    ...lines.map((one) => row(cells(one))),
  ].join('\n');
}

export function figureTable(figures: readonly Figure[]): string {
  return [
    row(['figure', 'measured', 'must', 'aim', '']),
    row(['---', '---', '---', '---', '---']),
    ...figures.map(({ what, value, must, aim, verdict }) => row([what, value, must, aim, verdict])),
  ].join('\n');
}

/**
 * Puts the text between the markers of the README.
 * @throws Error when it has none.
 */
export function intoReadme(readme: string, text: string): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md has no ${BEGIN} … ${END}`);
  return `${readme.slice(0, begin + BEGIN.length)}\n${text}\n${readme.slice(end)}`;
}
