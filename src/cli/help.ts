import { EXIT } from './exit.ts';

/** Characters in a line of help. */
const WIDTH = 98;

function wrap(text: string, room: number): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + 1 + word.length > room) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
}

/** A text in lines. */
export function paragraph(text: string): string {
  return wrap(text, WIDTH).join('\n');
}

/** Rows of two columns, the second one in as many lines as it takes. */
export function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows
    .map(([left, right]) => `  ${left.padEnd(width)}${wrap(right, WIDTH - width).join(`\n  ${' '.repeat(width)}`)}`)
    .join('\n');
}

/** The table of exit codes. */
export function exitCodes(): string {
  return `Exit codes:\n${columns(Object.values(EXIT).map(({ code, doc }) => [String(code), doc] as const))}`;
}
