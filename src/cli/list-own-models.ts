import { createOnnxProvider } from '../providers/onnx.ts';
import { createLog } from '../log.ts';
import { defineCommand } from './command.ts';

/** What lies in MODELS_DIR, each opened to see whether it can be used. */
export const listModelsCommand = defineCommand({
  summary: 'list the models of your own',
  description: [
    'Opens each model in MODELS_DIR and says whether it can be used, and if not, why and what to do. `restore --list-models` lists what a service offers.',
  ],
  options: {},
  async run(_input, { config, terminal, interruptible }) {
    const { modelsDir: folder, allowNoncommercialModels: allowRestricted, executionProviders } = config();
    const signal = interruptible();
    const provider = await createOnnxProvider({
      folder,
      allowRestricted,
      executionProviders,
      log: createLog('silent'),
    });
    try {
      const models = provider.models();
      if (models.length === 0) terminal.out(`There are no models in ${folder}.`);
      for (const { name, title, capability, licence } of models) {
        const { available, reason = 'it cannot be used' } = await provider.status(signal, name);
        terminal.out(`onnx/${name}: ${title}, ${capability.toLowerCase()}, ${licence}`);
        if (!available) terminal.out(`    Not available: ${reason}`);
      }
    } finally {
      await provider.close?.();
    }
  },
});
