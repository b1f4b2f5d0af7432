import type { Manifest } from '../manifest.ts';
import { YUNET_OUTPUTS } from './faces/yunet.ts';

/** An input or output as the file declares it; a number of -1 in `shape` is a size that is open. */
export interface Port {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
}

/** What a loaded session says of itself. */
export interface Facts {
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
}

export const OPEN = -1;

/** A side of a picture that is said to be smaller is a number of planes. */
const SMALLEST_SIDE = 16;

interface Wanted {
  readonly name: string;
  readonly planes: number;
  readonly side: number;
}

const shapeText = (shape: readonly number[]): string =>
  `[${shape.map((size) => (size === OPEN ? 'any' : size)).join(', ')}]`;
const named = (ports: readonly Port[]): string => ports.map(({ name }) => name).join(', ') || 'none';

/** Planes of an answer, by task; colours otherwise. */
const OUTPUT_PLANES: Partial<Record<Manifest['task'], number>> = { mask: 1, colourise: 2 };

/** How many planes of colour the model is given. */
export function colourPlanes({ colours }: Pick<Manifest, 'colours'>): 1 | 3 {
  return colours === 'L' ? 1 : 3;
}

/** How many planes it answers. */
export function outputPlanes(manifest: Manifest): number {
  return OUTPUT_PLANES[manifest.task] ?? colourPlanes(manifest);
}

function pictureProblem(
  kind: 'input' | 'output',
  ports: readonly Port[],
  { name, planes, side }: Wanted,
  { layout, fixedSize }: Manifest,
): string | undefined {
  const field = `${kind}s`;
  const port = ports.find((each) => each.name === name);
  if (port === undefined) return `has no ${kind} ${name} (it has ${named(ports)}): correct \`${field}\``;
  if (port.type !== 'float32') return `has the ${kind} ${name} of type ${port.type}; only float32 can be used`;
  // A shape that is left open altogether cannot be compared; the first tile does it.
  if (port.shape.length === 0 && kind === 'output') return undefined;
  const order = layout === 'NCHW' ? [1, planes, side, side] : [1, side, side, planes];
  const fits =
    port.shape.length === 4 &&
    port.shape.every(
      (size, axis) => size === OPEN || (order[axis] === OPEN && size >= SMALLEST_SIDE) || size === order[axis],
    );
  const want = shapeText(order);
  if (!fits) {
    return `has the ${kind} ${name} of shape ${shapeText(port.shape)} where the manifest says ${want}: correct \`layout\`, \`colours\`, \`tile\`, \`fixedSize\` or \`scale\``;
  }
  const sides = layout === 'NCHW' ? port.shape.slice(2) : port.shape.slice(1, 3);
  if (kind === 'input' && !fixedSize && sides.some((size) => size !== OPEN)) {
    return `takes pictures of ${sides.join(' × ')} pixels only: say \`fixedSize\` with that \`tile.size\``;
  }
  return undefined;
}

/** Of a model that finds faces: a square picture goes in, and the outputs of YuNet come out. */
function detectorProblem(inputs: readonly Port[], outputs: readonly Port[], manifest: Manifest): string | undefined {
  const { inputs: names, tile } = manifest;
  const missing = YUNET_OUTPUTS.filter((name) => !outputs.some((port) => port.name === name));
  if (missing.length > 0) {
    return `has no output ${missing[0]} (it has ${named(outputs)}): only detectors of the YuNet family can be used`;
  }
  const other = outputs.find(({ name, type }) => YUNET_OUTPUTS.includes(name) && type !== 'float32');
  if (other !== undefined) return `has the output ${other.name} of type ${other.type}; only float32 can be used`;
  if (tile.size % 32 !== 0) return `looks at ${tile.size} pixels a side, which is no multiple of 32: correct \`tile\``;
  return (
    pictureProblem('input', inputs, { name: names.image, planes: 3, side: tile.size }, manifest) ??
    parameterProblem(inputs, manifest)
  );
}

function parameterProblem(inputs: readonly Port[], manifest: Manifest): string | undefined {
  for (const [name, { type, shape }] of Object.entries(manifest.parameters)) {
    const port = inputs.find((each) => each.name === name);
    if (port === undefined) return `has no input ${name}: correct \`parameters\``;
    const fits =
      port.shape.length === shape.length && port.shape.every((size, i) => size === OPEN || size === shape[i]);
    if (port.type !== type || !fits) {
      return `has the input ${name} as ${port.type} ${shapeText(port.shape)} where the manifest says ${type} ${shapeText(shape)}: correct \`parameters.${name}\``;
    }
  }
  const known = [manifest.inputs.image, manifest.inputs.mask, ...Object.keys(manifest.parameters)];
  const left = inputs.find(({ name }) => !known.includes(name));
  return left && `wants an input ${left.name} that the manifest does not know: describe it under \`parameters\``;
}

/**
 * Compares what the session says with what the manifest promises.
 *
 * @returns the first thing that does not fit, to stand behind the name of the file; undefined where all fits.
 */
export function disagreement({ inputs, outputs }: Facts, manifest: Manifest): string | undefined {
  const { task, scale, tile, fixedSize, controls } = manifest;
  if (controls.length > 0) return 'wants control planes, which only the models that ship with Heirloom are given';
  if (task === 'mask') return 'has the task mask, which no restoration uses from a model of your own: take it out';
  if (task === 'fill' && manifest.inputs.mask === undefined)
    return 'fills, and has no `inputs.mask` in the manifest: name it';
  if (task !== 'restore' && task !== 'upscale' && manifest.colours === 'L') {
    return `has the task ${task} and one grey plane; such models take three planes: correct \`colours\``;
  }
  const side = fixedSize ? tile.size : OPEN;
  if (task === 'detect') return detectorProblem(inputs, outputs, manifest);
  const { mask } = manifest.inputs;
  return (
    pictureProblem('input', inputs, { name: manifest.inputs.image, planes: colourPlanes(manifest), side }, manifest) ??
    (mask === undefined ? undefined : pictureProblem('input', inputs, { name: mask, planes: 1, side }, manifest)) ??
    parameterProblem(inputs, manifest) ??
    pictureProblem(
      'output',
      outputs,
      { name: manifest.outputs.image, planes: outputPlanes(manifest), side: side === OPEN ? OPEN : side * scale },
      manifest,
    )
  );
}
