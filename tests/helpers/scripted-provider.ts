import type { App } from '../../src/app.ts';
import type { Provider } from '../../src/providers/provider.ts';

/**
 * From now on every restoration of the service is done by what `script` makes of the real provider's `restore`; models, options
 * and whatever is around it stay as they are.
 */
export function scriptProvider(
  { services: { models } }: App,
  script: (real: Provider['restore']) => Provider['restore'],
): void {
  const { resolve } = models;
  models.resolve = async (...args) => {
    const { model, provider } = await resolve(...args);
    return { model, provider: { ...provider, restore: script((...call) => provider.restore(...call)) } };
  };
}
