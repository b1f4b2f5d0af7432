import { CliError, EXIT, type Exit } from './exit.ts';

const SIGNALS: Partial<Record<NodeJS.Signals, Exit>> = { SIGINT: 'interrupted', SIGTERM: 'terminated' };

/** npm passes on what the terminal has sent to us already; a person is slower. */
const SAME_MS = 300;

/** A signal that the first Ctrl-C or SIGTERM aborts; the second ends the process at once. */
export function abortOnSignals(process: NodeJS.Process): AbortSignal {
  const controller = new AbortController();
  let first = 0;
  for (const [name, exit] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      const at = performance.now();
      if (controller.signal.aborted && at - first > SAME_MS) process.exit(EXIT[exit].code);
      if (controller.signal.aborted) return;
      first = at;
      controller.abort(new CliError('Cancelled.', exit));
    });
  }
  return controller.signal;
}
