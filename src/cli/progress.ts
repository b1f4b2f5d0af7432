import type { RestorationStage, RestorationStatus } from './generated/graphql.ts';
import type { Terminal } from './terminal.ts';

/** What a person is told while a photo is worked on. */
export interface ProgressUpdate {
  readonly status: RestorationStatus;
  readonly stage: RestorationStage | null;
  /** 0 to 100. */
  readonly percent: number;
  readonly etaSeconds: number | null;
}

export interface Progress {
  /** Something that has no percent, such as an upload. */
  say(what: string): void;
  update(update: ProgressUpdate): void;
  /** Takes the bar away. */
  end(): void;
}

const STAGES: Record<RestorationStage, string> = {
  PREPARING: 'looking at the photo',
  REPAIRING: 'filling scratches',
  DENOISING: 'removing noise',
  COLOURING: 'bringing colours back',
  FACES: 'restoring faces',
  UPSCALING: 'enlarging',
  FINISHING: 'saving',
  UPLOADING: 'sending to the provider',
  WAITING_FOR_PROVIDER: 'waiting for the provider',
};

const STATUSES: Record<RestorationStatus, string> = {
  QUEUED: 'waiting for its turn',
  RUNNING: 'starting',
  SUCCEEDED: 'done',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
};

/** Cells of the bar; half as many where a line has less than WIDE characters. */
const BAR = 24;
const WIDE = 100;
const MIN_NAME = 12;
/** How often the seconds left are counted down between two events. */
const TICK_MS = 500;

function duration(seconds: number): string {
  const left = Math.max(1, Math.round(seconds));
  return left < 90 ? `${left} s` : `${Math.round(left / 60)} min`;
}

/** `█` for what is done, in eighths, and `░` for what is not. */
export function bar(percent: number, cells: number): string {
  const eighths = Math.round((Math.min(100, Math.max(0, percent)) / 100) * cells * 8);
  const full = '█'.repeat(Math.floor(eighths / 8));
  const part = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8] ?? '';
  return `${full}${part}`.padEnd(cells, '░');
}

function describe({ status, stage }: ProgressUpdate): string {
  return status === 'RUNNING' && stage !== null ? STAGES[stage] : STATUSES[status];
}

/** The middle of a long name gives way, so that number and extension stay. */
function shorten(name: string, room: number): string {
  if (name.length <= room) return name;
  const tail = Math.floor((room - 1) / 2);
  return `${name.slice(0, room - 1 - tail)}…${name.slice(name.length - tail)}`;
}

/** One line that is redrawn, for a terminal. */
function createBar(terminal: Terminal, label: string): Progress {
  let what = '';
  let last: ProgressUpdate | undefined;
  let endsAt: number | undefined;

  function draw(): void {
    const width = terminal.width() - 1;
    const eta = endsAt === undefined ? '' : `  about ${duration((endsAt - Date.now()) / 1000)} left`;
    const percent = last?.percent ?? 0;
    const state = `${bar(percent, width < WIDE ? BAR / 2 : BAR)} ${String(Math.floor(percent)).padStart(3)} %  ${what}${eta}`;
    const line = `${shorten(label, Math.max(MIN_NAME, width - state.length - 2))}  ${state}`;
    // A line that wraps cannot be erased.
    terminal.status(line.slice(0, Math.max(1, width)));
  }
  const timer = setInterval(draw, TICK_MS).unref();

  return {
    say(text) {
      what = text;
      draw();
    },
    update(update) {
      last = update;
      what = describe(update);
      endsAt = update.etaSeconds === null ? undefined : Date.now() + update.etaSeconds * 1000;
      draw();
    },
    end() {
      clearInterval(timer);
      terminal.status(null);
    },
  };
}

/** A line for each stage, for a log file or a pipe. */
function createLines(terminal: Terminal, label: string): Progress {
  let said = '';
  function line(what: string, note = ''): void {
    if (what === said) return;
    said = what;
    terminal.note(`${label}: ${what}${note}`);
  }
  return {
    say: (what) => line(what),
    update: (update) => line(describe(update), update.percent > 0 ? ` (${Math.floor(update.percent)} %)` : ''),
    end: () => {},
  };
}

/** Shows how far one photo is: a bar on a terminal, plain lines otherwise. */
export function createProgress(terminal: Terminal, label: string): Progress {
  return (terminal.interactive ? createBar : createLines)(terminal, label);
}
