import { AppError } from '../errors.ts';
import type { Repair } from '../imaging/damage-mask.ts';
import type { Quality } from '../imaging/nets.ts';
import { MODEL_OPTIONS } from '../providers/provider.ts';
import type { Model, ParameterSchema } from './model.ts';

/** The part of a request that is the model's business. */
export interface RequestedOptions {
  strength?: number | null | undefined;
  upscale?: number | null | undefined;
  quality?: Quality | null | undefined;
  repair?: Repair | null | undefined;
  /** A mask of their own, whatever it is. */
  mask?: unknown;
  parameters?: Record<string, unknown> | null | undefined;
}

export interface CheckedOptions {
  strength: number;
  upscale: number;
  quality: Quality;
  repair: Repair;
  /** Whether there is a mask of their own. */
  ownMask: boolean;
  /** Defaults filled in, fixed values of the model added. */
  parameters: Record<string, unknown>;
}

const bad = (field: string, message: string): AppError =>
  new AppError('BAD_USER_INPUT', message, { field: `input.options.${field}` });

const TYPES: Record<ParameterSchema['type'], (value: unknown) => boolean> = {
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  integer: Number.isInteger,
  string: (value) => typeof value === 'string' && value.length <= 10_000,
  boolean: (value) => typeof value === 'boolean',
};

/** @throws AppError BAD_USER_INPUT when a value does not fit its schema. */
export function checkParameter(name: string, value: unknown, schema: ParameterSchema): void {
  const field = `parameters.${name}`;
  if (!TYPES[schema.type](value)) throw bad(field, `${name} must be of type ${schema.type}.`);
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    throw bad(field, `${name} must be one of ${schema.enum.join(', ')}.`);
  }
  const { minimum = -Infinity, maximum = Infinity } = schema;
  if (typeof value === 'number' && (value < minimum || value > maximum)) {
    throw bad(field, `${name} must be between ${minimum} and ${maximum}.`);
  }
}

/**
 * Checks a request against what the model declares.
 *
 * @throws AppError BAD_USER_INPUT that names the option and its range.
 */
export function checkOptions(model: Model, requested: RequestedOptions): CheckedOptions {
  const { strength, upscale, quality, repair, mask } = requested;
  for (const option of MODEL_OPTIONS) {
    if (requested[option] != null && !model.options.includes(option)) {
      throw bad(option, `The model ${model.id} does not take ${option}.`);
    }
  }
  if (strength != null && !(strength >= 0 && strength <= 1)) throw bad('strength', 'strength must be between 0 and 1.');
  if (upscale != null && !model.upscales.includes(upscale)) {
    throw bad('upscale', `upscale must be one of ${model.upscales.join(', ')} for the model ${model.id}.`);
  }
  if (mask != null && repair === 'OFF')
    throw bad('mask', 'A mask says what to repair, and repair: OFF that nothing is.');
  const given = requested.parameters ?? {};
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(model.parameters, name));
  if (unknown !== undefined) throw bad(`parameters.${unknown}`, `The model ${model.id} has no parameter ${unknown}.`);

  const parameters: Record<string, unknown> = { ...model.fixedParameters };
  for (const [name, schema] of Object.entries(model.parameters)) {
    const value = given[name] ?? schema.default;
    if (value === undefined) continue;
    checkParameter(name, value, schema);
    parameters[name] = value;
  }
  return {
    strength: strength ?? 1,
    upscale: upscale ?? model.upscales[0] ?? 1,
    quality: quality ?? 'BALANCED',
    repair: repair ?? 'AUTO',
    ownMask: mask != null,
    parameters,
  };
}
