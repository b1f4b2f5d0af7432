import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bar, createProgress } from '../src/cli/progress.ts';
import { createTerminal, type Terminal } from '../src/cli/terminal.ts';

/** Back to the start of the line, which is emptied (ECMA-48, EL). */
const ERASE_LINE = '\r\u001b[K';

/** A terminal of so many columns; `screen` is its bottom line as a person would see it, `lines` those above. */
function fakeTerminal(columns: number | null) {
  let screen = '';
  const lines: string[] = [];
  const write = (text: string): boolean => {
    screen = `${screen}${text}`.split(ERASE_LINE).at(-1) ?? '';
    const parts = screen.split('\n');
    screen = parts.pop() ?? '';
    lines.push(...parts);
    return true;
  };
  const stream = { write, ...(columns === null ? {} : { isTTY: true, columns }) };
  const terminal: Terminal = createTerminal({ stdin: process.stdin, stdout: stream, stderr: stream } as never);
  return { terminal, lines, screen: () => screen };
}

const RUNNING = { status: 'RUNNING', stage: 'DENOISING', percent: 41.9, etaSeconds: 12 } as const;

describe('the progress of a photo', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('draws a bar in eighths of a cell', () => {
    expect(bar(0, 4)).toBe('░░░░');
    expect(bar(50, 4)).toBe('██░░');
    expect(bar(53.125, 4)).toBe('██▏░');
    expect(bar(100, 4)).toBe('████');
    expect(bar(250, 4)).toBe('████');
  });

  it('shows name, bar, percent, stage and time left in one line, and counts down between events', () => {
    const { terminal, lines, screen } = fakeTerminal(110);
    const progress = createProgress(terminal, '[2/5] photo.jpg');
    progress.update(RUNNING);
    expect(screen()).toBe('[2/5] photo.jpg  ██████████░░░░░░░░░░░░░░  41 %  removing noise  about 12 s left');
    vi.advanceTimersByTime(3000);
    expect(screen()).toContain('about 9 s left');
    terminal.out('a result');
    expect(lines).toEqual(['a result']);
    expect(screen()).toContain('photo.jpg  ███');
    progress.end();
    expect(screen()).toBe('');
    vi.advanceTimersByTime(3000);
    expect(screen()).toBe('');
  });

  it.each([30, 60, 80, 120])('never wraps a line of %i columns', (columns) => {
    const { terminal, screen } = fakeTerminal(columns);
    const progress = createProgress(terminal, `album/${'long'.repeat(30)}-0042.jpg`);
    progress.update({ ...RUNNING, etaSeconds: 3000 });
    expect(screen().length).toBeLessThan(columns);
    expect(screen()).toMatch(/…\S*\.jpg /);
    progress.end();
  });

  it('writes a line for each stage where there is no terminal', () => {
    const { terminal, lines, screen } = fakeTerminal(null);
    const progress = createProgress(terminal, 'photo.jpg');
    progress.say('uploading');
    progress.update({ status: 'QUEUED', stage: null, percent: 0, etaSeconds: null });
    for (const percent of [10, 20, 30]) progress.update({ ...RUNNING, percent });
    progress.end();
    expect(lines).toEqual([
      'photo.jpg: uploading',
      'photo.jpg: waiting for its turn',
      'photo.jpg: removing noise (10 %)',
    ]);
    expect(screen()).toBe('');
  });

  it('lets no control character of a file name reach the terminal', () => {
    const { terminal, lines, screen } = fakeTerminal(100);
    terminal.note('a\u001b[2Jb\rc\u202ed\u0007: x');
    expect(lines).toEqual(['a�[2Jb�c�d�: x']);
    terminal.status('a\u001b]0;title\u0007');
    expect(screen()).toBe('a�]0;title�');
  });
});
