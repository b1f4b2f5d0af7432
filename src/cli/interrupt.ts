import { CliError, EXIT, type Exit } from './exit.ts';

const SIGNALS: Partial<Record<NodeJS.Signals, Exit>> = { SIGINT: 'interrupted', SIGTERM: 'terminated' };

/** A signal that the first Ctrl-C or SIGTERM aborts; the second ends the process at once. */
export function abortOnSignals(process: NodeJS.Process): AbortSignal {
  const controller = new AbortController();
  for (const [name, exit] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(EXIT[exit].code);
      controller.abort(new CliError('Cancelled.', exit));
    });
  }
  return controller.signal;
}
