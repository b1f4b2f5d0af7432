import type { Measured } from './figure.ts';

const BEGIN = '<!-- bench -->';
const END = '<!-- /bench -->';

export function holds({ value, must }: Measured): boolean {
  return 'atLeast' in must ? value >= must.atLeast : value <= must.atMost;
}

function shown(value: number, unit: Measured['unit']): string {
  const digits = unit === '×' || Math.abs(value) < 10 ? 2 : unit === 'ms' && value < 100 ? 1 : 0;
  return unit === '×' ? `${value.toFixed(digits)} ×` : `${value.toFixed(digits)} ${unit}`;
}

const bound = ({ must, unit }: Measured): string =>
  'atLeast' in must ? `≥ ${must.atLeast} ${unit}` : `≤ ${must.atMost} ${unit}`;

export function line(one: Measured): string {
  return `${holds(one) ? 'ok  ' : 'MISS'} ${one.what}: ${shown(one.value, one.unit)} (${bound(one)}) ${one.detail}`;
}

export function heading(machine: string, date: string): string {
  return `Measured on ${date}: ${machine}.`;
}

export function table(measured: readonly Measured[]): string {
  const rows = measured.map((one) =>
    [
      one.what,
      one.against ?? '–',
      shown(one.value, one.unit),
      `${bound(one)}${holds(one) ? '' : ' **missed**'}`,
      one.detail,
    ].join(' | '),
  );
  return [
    '| what | against | figure | must | medians |',
    '|---|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`),
  ].join('\n');
}

/** @throws Error when the README has lost its markers. */
export function intoReadme(readme: string, machine: string, date: string, measured: readonly Measured[]): string {
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`README.md has no ${BEGIN} … ${END}`);
  const body = `\n${heading(machine, date)}\n\n${table(measured)}\n`;
  return readme.slice(0, begin + BEGIN.length) + body + readme.slice(end);
}
