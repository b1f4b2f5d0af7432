import type { Copied } from '../backup/back-up.ts';
import { size } from './size.ts';
import type { Terminal } from './terminal.ts';

/** More names than these help nobody. */
const SHOWN = 10;
const REDRAW_MS = 100;

/** E.g. `1,204 files, 3.1 GB`. */
export function amount({ files, bytes }: Copied): string {
  return `${files.toLocaleString('en')} files, ${size(bytes)}`;
}

/** A count at the bottom of the terminal. */
export function showCopying(terminal: Terminal): (copied: Copied) => void {
  let drawn = 0;
  return (copied) => {
    const now = performance.now();
    if (now - drawn < REDRAW_MS) return;
    drawn = now;
    terminal.status(`${amount(copied)} …`);
  };
}

/** A headline and the first names, or nothing. */
export function listed(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const rest = names.length - SHOWN;
  const lines = [`${names.length} files ${what}:`, ...names.slice(0, SHOWN).map((name) => `  ${name}`)];
  return rest > 0 ? [...lines, `  and ${rest} more`] : lines;
}
