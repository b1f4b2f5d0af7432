import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { ConfigError } from '../config.ts';
import {
  CAPABILITIES,
  MODEL_OPTIONS,
  type Capability,
  type Provider,
  type ProviderModel,
} from '../providers/provider.ts';
import type { Model, ParameterSchema } from './model.ts';
import { checkParameter } from './options.ts';

const TYPES = ['number', 'integer', 'string', 'boolean'] as const;

const parameterSchema = z.strictObject({
  type: z.enum(TYPES),
  default: z.unknown().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  enum: z.array(z.unknown()).optional(),
  description: z.string().optional(),
});

/** An object whose `type` is one of ours is a schema and has to be a right one; everything else is a fixed value. */
function isSchema(value: unknown): value is ParameterSchema {
  return typeof value === 'object' && value !== null && 'type' in value && TYPES.some((type) => type === value.type);
}

const parameters = z.record(z.string(), z.unknown()).superRefine((entries, context) => {
  for (const [name, value] of Object.entries(entries)) {
    if (!isSchema(value)) continue;
    const { error } = parameterSchema.safeParse(value);
    for (const issue of error?.issues ?? []) context.addIssue({ ...issue, path: [name, ...issue.path] } as never);
    if (error !== undefined || value.default === undefined) continue;
    try {
      checkParameter(name, value.default, value);
    } catch (cause) {
      context.addIssue({ code: 'custom', path: [name, 'default'], message: (cause as Error).message });
    }
  }
});

const capability = z
  .string()
  .transform((value) => value.toUpperCase())
  .pipe(z.enum(Object.keys(CAPABILITIES) as Capability[]));

/** One entry of MODELS_CONFIG. */
const entrySchema = z
  .strictObject({
    id: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be lower case letters, digits, dots and dashes'),
    name: z.string().min(1).max(100),
    provider: z.string().min(1).default('huggingface'),
    model: z.string().min(1).max(500),
    capability: capability.optional(),
    category: capability.optional(),
    description: z.string().max(2000).optional(),
    parameters: parameters.default({}),
    options: z.array(z.enum(MODEL_OPTIONS)).optional(),
    tags: z.array(z.string()).default([]),
    version: z.string().default('1'),
    licence: z.string().optional(),
    enabled: z.boolean().default(true),
    requires: z.array(z.string()).default([]),
  })
  .refine((entry) => entry.capability !== undefined || entry.category !== undefined, {
    path: ['category'],
    message: 'is missing',
  });

type Entry = z.infer<typeof entrySchema>;

/** What an entry may leave out, of a model that nothing is known of. */
const UNKNOWN: Pick<Model, 'description' | 'options' | 'upscales' | 'bytesPerPixel' | 'licence' | 'parameters'> = {
  description: '',
  options: [],
  upscales: [1],
  bytesPerPixel: { input: 8, output: 8 },
  licence: null,
  parameters: {},
};

/** @param base the model of the provider that it stands for: what the entry leaves out is as there. */
function toModel(entry: Entry, base: ProviderModel | undefined): Model {
  const named = Object.entries(entry.parameters);
  const fixed = Object.fromEntries(named.filter(([, value]) => !isSchema(value)));
  const schemas = Object.fromEntries(named.filter((pair): pair is [string, ParameterSchema] => isSchema(pair[1])));
  const usual = base ?? UNKNOWN;
  const inherited = Object.entries<ParameterSchema>(usual.parameters ?? {}).filter(
    ([name]) => !Object.hasOwn(fixed, name),
  );
  const scale = Number(fixed['scale'] ?? fixed['upscale']);
  return {
    id: entry.id,
    name: entry.name,
    description: entry.description ?? usual.description,
    capability: entry.capability ?? entry.category ?? 'ENHANCE',
    provider: entry.provider,
    model: entry.model,
    fixedParameters: fixed,
    parameters: { ...Object.fromEntries(inherited), ...schemas },
    options: entry.options ?? usual.options,
    upscales: Number.isFinite(scale) && scale >= 1 ? [scale] : usual.upscales,
    bytesPerPixel: usual.bytesPerPixel,
    tags: entry.tags,
    version: entry.version,
    licence: entry.licence ?? usual.licence,
    requires: entry.requires,
  };
}

/** What is wrong with the fixed values, each by what the provider says of that parameter. */
function misfits({ id, parameters: given }: Entry, base: ProviderModel | undefined): string[] {
  return Object.entries(base?.parameters ?? {}).flatMap(([name, schema]) => {
    if (!Object.hasOwn(given, name) || isSchema(given[name])) return [];
    try {
      checkParameter(name, given[name], schema);
      return [];
    } catch (error) {
      return [`MODELS_CONFIG: ${id}: parameters.${name}: ${(error as Error).message}`];
    }
  });
}

/**
 * The models of MODELS_CONFIG: JSON text, or the path of a JSON file; one entry or an array of them. One that stands for a model
 * which its provider brings along takes what that takes and costs what that costs, unless it says otherwise.
 *
 * @throws ConfigError that names each wrong field, each with the id of its entry.
 */
export function readCustomModels(source: string | undefined, providers: readonly Provider[] = []): Model[] {
  if (source === undefined || source.trim() === '') return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(/^\s*[[{]/.test(source) ? source : readFileSync(source, 'utf8'));
  } catch (error) {
    throw new ConfigError([`MODELS_CONFIG: cannot be read as JSON: ${(error as Error).message}`]);
  }
  const entries = Array.isArray(parsed) ? parsed : [parsed];
  const problems: string[] = [];
  const models: Model[] = [];
  for (const [index, entry] of entries.entries()) {
    const result = entrySchema.safeParse(entry);
    if (result.success) {
      const { data } = result;
      const base = providers
        .find(({ id }) => id === data.provider)
        ?.models()
        .find(({ name }) => name === data.model);
      problems.push(...misfits(data, base));
      if (data.enabled) models.push(toModel(data, base));
      continue;
    }
    const id = (entry as { id?: unknown } | null)?.id;
    for (const issue of result.error.issues) {
      problems.push(
        `MODELS_CONFIG: ${typeof id === 'string' ? id : `entry ${index}`}: ${issue.path.join('.') || 'entry'}: ${issue.message}`,
      );
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return models;
}
