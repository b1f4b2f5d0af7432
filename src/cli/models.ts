import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './client.ts';
import { MODELS, MODEL_STATUSES } from './documents.ts';
import { AppError } from '../errors.ts';
import type { ModelsQuery } from './generated/graphql.ts';
import type { Terminal } from './terminal.ts';

/** A service answers after two seconds where it does not know yet. */
const POLL_MS = 500;

type Model = ModelsQuery['models'][number];

/** What a parameter takes, as the service says: type, default, minimum, maximum, enum, description. */
function parameterLine([name, schema]: [string, unknown]): string {
  const { type, minimum, maximum, enum: values, default: usual, description } = schema as Record<string, unknown>;
  const facts = [
    Array.isArray(values) ? values.join('|') : String(type),
    ...(minimum === undefined ? [] : [`from ${String(minimum)}`]),
    ...(maximum === undefined ? [] : [`to ${String(maximum)}`]),
    ...(usual === undefined ? [] : [`default ${String(usual)}`]),
  ];
  return `    --parameter ${name}=VALUE (${facts.join(', ')})${description === undefined ? '' : `: ${String(description)}`}`;
}

function lines(model: Model): string[] {
  const takes = model.options.map((option) =>
    option === 'upscale' ? `--upscale ${model.upscales.join('|')}` : `--${option}`,
  );
  return [
    `${model.id}${model.isDefault ? ' (default)' : ''}: ${model.name}, ${model.capability.toLowerCase()}`,
    `    ${model.description}`,
    ...(takes.length === 0 ? [] : [`    Takes ${takes.join(', ')}.`]),
    ...Object.entries(model.parameters).map(parameterLine),
    ...(model.status.available ? [] : [`    Not available: ${model.status.reason ?? 'the service does not say why'}`]),
    ...(model.status.note == null ? [] : [`    ${model.status.note}`]),
  ];
}

/** Asks again until each model, or just the one that matters, has been examined. */
async function examined<M extends { id: string; status: { examining: boolean } }>(
  ask: () => Promise<{ models: M[] }>,
  signal: AbortSignal,
  id?: string,
): Promise<M[]> {
  for (;;) {
    const { models } = await ask();
    if (!models.some((model) => model.status.examining && (id === undefined || model.id === id))) return models;
    await sleep(POLL_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Prints what there is to pick from. */
export async function listModels(client: Client, terminal: Terminal, signal: AbortSignal): Promise<void> {
  const models = await examined(() => client.execute(MODELS, {}, signal), signal);
  for (const model of models) for (const line of lines(model)) terminal.out(line);
}

/** Before anything is uploaded. @throws AppError UNKNOWN_MODEL, with the names there are; MODEL_UNAVAILABLE. */
export async function checkModel(client: Client, id: string, signal: AbortSignal): Promise<void> {
  const models = await examined(() => client.execute(MODEL_STATUSES, {}, signal), signal, id);
  const model = models.find((each) => each.id === id);
  if (model === undefined) {
    const names = models.map((each) => each.id).join(', ');
    throw new AppError('UNKNOWN_MODEL', `There is no model ${id}. There are: ${names}.`);
  }
  if (!model.status.available) {
    throw new AppError(
      'MODEL_UNAVAILABLE',
      `The model ${id} is not available: ${model.status.reason ?? 'no reason is given'}`,
    );
  }
}
