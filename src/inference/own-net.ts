import type { NetTask } from '../imaging/nets.ts';
import type { TileShape } from '../imaging/tiles.ts';
import type { Manifest } from './manifest.ts';

/** A net of ours as the inference thread has to know it: what of its manifest matters for a run. */
export interface OwnNet {
  readonly name: string;
  readonly task: NetTask;
  readonly scale: 1 | 2 | 4;
  /** Path of the .onnx file, its length in bytes and its SHA-256 in hexadecimal. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Names in the file. */
  readonly input: string;
  readonly output: string;
  /** Planes behind the three colours of the input, in their order. */
  readonly controls: readonly string[];
  /** Planes of the output: 1 for a mask, else 3. */
  readonly planes: 1 | 3;
  /** What black and white are. */
  readonly range: readonly [number, number];
  readonly outputRange: readonly [number, number];
  readonly tile: TileShape;
  /** Milliseconds per megapixel of the source on a common machine. */
  readonly cost: number;
}

/** What the port knows; each value is the one that a manifest must have. */
const TASKS: ReadonlySet<string> = new Set<NetTask>(['restore', 'mask', 'fill', 'upscale']);
const REQUIRED = { layout: 'NCHW', colours: 'RGB', padding: 'mirror', fixedSize: false } as const;

/** @returns the net, or a sentence that says why a net of ours cannot be like this. */
export function ownNet(manifest: Manifest, pathOf: (file: string) => string): OwnNet | string {
  const { name, task, scale, file, bytes, sha256, controls, range, outputRange = range, multiple, cost } = manifest;
  for (const [field, needed] of Object.entries(REQUIRED)) {
    if (manifest[field as keyof typeof REQUIRED] !== needed) return `its manifest must have ${field} ${needed}`;
  }
  if (!isTask(task)) return `its manifest names the task ${task}, which no net of ours has`;
  if (outputRange === 'detect') return 'its manifest leaves the range of the output open';
  return {
    name,
    task,
    scale,
    path: pathOf(file),
    bytes,
    sha256,
    input: manifest.inputs.image,
    output: manifest.outputs.image,
    controls,
    planes: task === 'mask' ? 1 : 3,
    range,
    outputRange,
    tile: { ...manifest.tile, multiple },
    cost,
  };
}

function isTask(task: string): task is NetTask {
  return TASKS.has(task);
}
