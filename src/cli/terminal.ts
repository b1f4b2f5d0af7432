import { createInterface } from 'node:readline/promises';
import { text as readAll } from 'node:stream/consumers';
import { Writable } from 'node:stream';
import { CliError } from './exit.ts';

/** Where a command reads and writes: results on standard output, everything else on standard error. */
export interface Terminal {
  /** True where a person looks at standard error. */
  readonly interactive: boolean;
  /** Characters in a line. */
  width(): number;
  /** A line of result. */
  out(line: string): void;
  /** A line for whoever watches. */
  note(line: string): void;
  /** Keeps one line at the bottom, redrawn in place; null takes it away. Only where `interactive`. */
  status(line: string | null): void;
  /** Asks on the terminal, without echo; null where there is none. @throws CliError on Ctrl-C. */
  askSecret(question: string): Promise<string | null>;
  /** All of standard input. */
  readInput(): Promise<string>;
}

/** The control characters that a file name or a message may bring along would move the cursor. */
const CONTROLS = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

function clean(line: string): string {
  return line.replace(CONTROLS, (found) => (found === '\n' || found === '\t' ? found : '\ufffd'));
}

const ERASE_LINE = '\r\u001b[K';

export function createTerminal({ stdin, stdout, stderr }: Pick<NodeJS.Process, 'stdin' | 'stdout' | 'stderr'>) {
  let shown: string | null = null;

  /** Takes the status line out of the way of `write`. */
  function around(write: () => void): void {
    if (shown !== null) stderr.write(ERASE_LINE);
    write();
    if (shown !== null) stderr.write(shown);
  }

  const terminal: Terminal = {
    interactive: stderr.isTTY === true,
    width: () => stderr.columns ?? 80,
    out: (line) => around(() => stdout.write(`${clean(line)}\n`)),
    note: (line) => around(() => stderr.write(`${clean(line)}\n`)),
    status(line) {
      if (!terminal.interactive || line === shown) return;
      const text = line === null ? null : clean(line);
      stderr.write(`${shown === null ? '' : ERASE_LINE}${text ?? ''}`);
      shown = text;
    },
    async askSecret(question) {
      if (stdin.isTTY !== true) return null;
      const muted = new Writable({ write: (_chunk, _encoding, done) => done() });
      const lines = createInterface({ input: stdin, output: muted, terminal: true });
      const stopped = new AbortController();
      lines.once('SIGINT', () => stopped.abort());
      stderr.write(question);
      try {
        return await lines.question('', { signal: stopped.signal });
      } catch (error) {
        throw new CliError('Cancelled.', 'interrupted', error);
      } finally {
        lines.close();
        stderr.write('\n');
      }
    },
    readInput: () => readAll(stdin),
  };
  return terminal;
}
