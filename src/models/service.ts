import { ConfigError } from '../config.ts';
import { AppError } from '../errors.ts';
import type { ServiceContext } from '../db/context.ts';
import { requireUser } from '../auth/require.ts';
import type { Capability, Provider } from '../providers/provider.ts';
import type { Availability, Model, ModelStatus } from './model.ts';
import { soon } from './patience.ts';

/** Models of this provider are called by their own names, those of others by the provider's and theirs. */
const UNPREFIXED = 'builtin';

function builtInModels(provider: Provider): Model[] {
  return provider.models().map((model) => ({
    id: provider.id === UNPREFIXED ? model.name : `${provider.id}/${model.name}`,
    name: model.title,
    description: model.description,
    capability: model.capability,
    provider: provider.id,
    model: model.name,
    fixedParameters: {},
    parameters: { ...model.parameters },
    options: model.options,
    upscales: model.upscales,
    bytesPerPixel: model.bytesPerPixel,
    tags: model.tags,
    version: model.version,
    licence: model.licence,
    requires: [],
  }));
}

/** How long a list waits for a provider to say whether a model can be used, in milliseconds. */
const STATUS_MS = 2000;
/** How long a list waits for the nets of ours to be tried, in milliseconds: seconds on a slow machine, once for each start. */
const NOTE_MS = 5000;
const STILL_EXAMINED = 'It is still being examined; ask again in a moment.';

/**
 * The registry: what providers bring along, and what MODELS_CONFIG adds. Made once at start.
 *
 * @param custom entries of MODELS_CONFIG; one with the id of a built-in model is refused.
 * @throws ConfigError when two models have the same id, or the default model does not exist.
 */
export function createModels(deps: {
  providers: readonly Provider[];
  custom: readonly Model[];
  defaultModel: string;
  requireAuth: boolean;
}) {
  const providers = new Map(deps.providers.map((provider) => [provider.id, provider]));
  const models = new Map<string, Model>();
  for (const { id, provider, model } of deps.custom) {
    const known = providers.get(provider)?.models() ?? [];
    if (known.length === 0 || known.some(({ name }) => name === model)) continue;
    const names = known.map(({ name }) => name).join(', ');
    throw new ConfigError([`MODELS_CONFIG: ${id}: model: the provider ${provider} has ${names}, but no ${model}`]);
  }
  for (const model of [...deps.providers.flatMap(builtInModels), ...deps.custom]) {
    if (models.has(model.id)) {
      throw new ConfigError([`MODELS_CONFIG: ${model.id}: id: a model of this name exists already`]);
    }
    models.set(model.id, model);
  }
  if (!models.has(deps.defaultModel)) {
    throw new ConfigError([
      `DEFAULT_MODEL is ${deps.defaultModel}: there is no such model; there are ${[...models.keys()].join(', ')}`,
    ]);
  }

  async function availability(model: Model, signal: AbortSignal): Promise<Availability> {
    const provider = providers.get(model.provider);
    if (provider === undefined) {
      return { available: false, reason: `The provider ${model.provider} is not configured on this server.` };
    }
    return provider.status(signal, model.model);
  }

  /** Answers within seconds, also where a provider needs minutes to find out; it goes on with that. */
  async function status(model: Model, signal: AbortSignal): Promise<ModelStatus> {
    const late = { available: false, reason: STILL_EXAMINED, examining: true };
    const found = await soon(STATUS_MS, (either) => availability(model, either), signal, late);
    return { examining: false, ...found, model };
  }

  function mayRead(ctx: ServiceContext): void {
    if (deps.requireAuth && ctx.actor.kind !== 'system') requireUser(ctx);
  }

  return {
    defaultModel: deps.defaultModel,

    status,

    /** What a model has to do without though it can be used; null where it lacks nothing. Answers within seconds. */
    async note({ provider: id, model }: Model, signal: AbortSignal): Promise<string | null> {
      const note = async (either: AbortSignal) => providers.get(id)?.note?.(either, model);
      return (await soon(NOTE_MS, note, signal, STILL_EXAMINED)) ?? null;
    },

    /** @throws AppError UNAUTHENTICATED under MODELS_REQUIRE_AUTH. */
    async list(
      ctx: ServiceContext,
      filter: { capability?: Capability | null | undefined; availableOnly?: boolean | null | undefined },
    ): Promise<Model[]> {
      mayRead(ctx);
      const found = [...models.values()].filter(
        (model) => filter.capability == null || model.capability === filter.capability,
      );
      if (filter.availableOnly !== true) return found;
      const statuses = await Promise.all(found.map((model) => status(model, ctx.signal)));
      return statuses.filter(({ available }) => available).map(({ model }) => model);
    },

    find(ctx: ServiceContext, id: string): Model | null {
      mayRead(ctx);
      return models.get(id) ?? null;
    },

    /** Of a restoration that was made with it, whoever may see the list; null when it has been taken out since. */
    byId(id: string): Model | null {
      return models.get(id) ?? null;
    },

    /**
     * The model and the provider that runs it. Waits for as long as the provider needs to find out whether it can be used.
     *
     * @throws AppError UNKNOWN_MODEL, MODEL_UNAVAILABLE with the reason.
     */
    async resolve(id: string | null | undefined, signal: AbortSignal): Promise<{ model: Model; provider: Provider }> {
      const model = models.get(id ?? deps.defaultModel);
      if (model === undefined) {
        throw new AppError('UNKNOWN_MODEL', `There is no model ${id}. The query \`models\` lists what there is.`, {
          field: 'input.modelId',
        });
      }
      const { available, reason } = await availability(model, signal);
      const provider = providers.get(model.provider);
      if (!available || provider === undefined) {
        throw new AppError(
          'MODEL_UNAVAILABLE',
          `The model ${model.id} is not available: ${reason ?? 'its provider is not up.'}`,
          {
            provider: model.provider,
          },
        );
      }
      return { model, provider };
    },
  };
}

export type Models = ReturnType<typeof createModels>;
