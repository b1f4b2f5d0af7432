import type { Capability, ModelOption } from '../providers/provider.ts';

/** A parameter that a request may set, with the range it must keep to. */
export interface ParameterSchema {
  type: 'number' | 'integer' | 'string' | 'boolean';
  default?: unknown;
  minimum?: number;
  maximum?: number;
  enum?: unknown[];
  description?: string;
}

/** What a person picks. */
export interface Model {
  id: string;
  name: string;
  description: string;
  capability: Capability;
  /** Which provider runs it. */
  provider: string;
  /** What that provider calls it. */
  model: string;
  /** Sent to the provider as they are. */
  fixedParameters: Record<string, unknown>;
  /** What `options.parameters` may say. */
  parameters: Record<string, ParameterSchema>;
  options: readonly ModelOption[];
  /** Values of `options.upscale` it takes, the default first: how many times longer each side becomes. */
  upscales: readonly number[];
  /** Working memory at its peak, in bytes: `input` per pixel of the photo plus `output` per pixel of the result. */
  bytesPerPixel: { readonly input: number; readonly output: number };
  tags: readonly string[];
  version: string;
  licence: string | null;
  /** What must be there for it to run, in words. */
  requires: readonly string[];
}

export interface Availability {
  available: boolean;
  /** Why not, and what to do about it. */
  reason?: string | undefined;
}

/** What the list of models says of one. */
export interface ModelStatus extends Availability {
  readonly model: Model;
  /** Not known yet; whoever asks again in a moment hears more. */
  readonly examining: boolean;
}
