import type * as OnnxRuntime from 'onnxruntime-node';
import type { InferenceSession } from 'onnxruntime-node';
import { OPEN, type Facts, type Port } from './facts.ts';

/** What may be asked for in ONNX_EXECUTION_PROVIDERS. */
export const EXECUTION_PROVIDERS = ['cpu', 'cuda', 'dml', 'coreml'] as const;
export type ExecutionProvider = (typeof EXECUTION_PROVIDERS)[number];

type Runtime = typeof OnnxRuntime;

export interface OpenSession {
  readonly runtime: Runtime;
  readonly session: InferenceSession;
  readonly facts: Facts;
  /** What an operator should know, e.g. that a device could not be used. */
  readonly notes: readonly string[];
}

/** onnxruntime itself does not load: no model can be used here. */
export class RuntimeMissing extends Error {}

const FATAL_ONLY = 4;

function portOf(metadata: InferenceSession.ValueMetadata): Port {
  if (!metadata.isTensor) return { name: metadata.name, type: 'no tensor', shape: [] };
  const shape = metadata.shape.map((size) => (typeof size === 'number' ? size : OPEN));
  return { name: metadata.name, type: metadata.type, shape };
}

/**
 * Opens a model from its bytes, on the first device that can be used; the CPU is always the last.
 *
 * @throws RuntimeMissing; what the runtime throws when even the CPU cannot.
 */
export async function openSession(bytes: Uint8Array, wanted: readonly ExecutionProvider[]): Promise<OpenSession> {
  const runtime = await import('onnxruntime-node').catch((error: unknown) => {
    throw new RuntimeMissing((error as Error).message, { cause: error });
  });
  const notes: string[] = [];
  const there = new Set(['cpu', ...runtime.listSupportedBackends().map(({ name }) => name)]);
  const devices = wanted.filter((device) => device !== 'cpu');
  for (const device of devices.filter((each) => !there.has(each))) {
    notes.push(
      `ONNX_EXECUTION_PROVIDERS names ${device}, which this build of onnxruntime does not have: the next one is used.`,
    );
  }
  let usable: string[] = devices.filter((device) => there.has(device));
  for (;;) {
    try {
      const session = await runtime.InferenceSession.create(bytes, {
        executionProviders: [...usable, 'cpu'],
        logSeverityLevel: FATAL_ONLY,
      });
      const facts = { inputs: session.inputMetadata.map(portOf), outputs: session.outputMetadata.map(portOf) };
      return { runtime, session, facts, notes };
    } catch (error) {
      const [first, ...rest] = usable;
      if (first === undefined) throw error;
      notes.push(`The execution provider ${first} cannot be used (${(error as Error).message}): the next one is.`);
      usable = rest;
    }
  }
}
