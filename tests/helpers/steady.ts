import { setTimeout as wait } from 'node:timers/promises';
import type { App } from '../../src/app.ts';
import type { Provider } from '../../src/providers/provider.ts';
import { scriptProvider } from './scripted-provider.ts';

/** More often than it is published: the service's own throttle sets the pace. */
const EVERY_MS = 20;

const restore: Provider['restore'] = async (_request, { signal, onProgress }) => {
  for (let percent = 0; ; percent = Math.min(99, percent + 0.01)) {
    await wait(EVERY_MS, undefined, { signal });
    onProgress({ stage: 'DENOISING', percent });
  }
};

/** From now on every restoration does nothing but report a little more, ten times a second, until it is cancelled. */
export function reportSteadily(app: App): void {
  scriptProvider(app, () => restore);
}
