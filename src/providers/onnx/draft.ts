import { parseManifest, type Manifest } from '../../inference/manifest.ts';
import { disagreement, OPEN, type Facts, type Port } from '../../inference/foreign/facts.ts';
import { createModelProcess, ModelRefused, type Opened } from '../../inference/foreign/process.ts';
import { FAMILIES, type Family } from './families.ts';

/** What a person may say beside the family. */
export interface DraftOptions {
  readonly name: string;
  readonly title?: string | undefined;
  readonly licence?: string | undefined;
  readonly source?: string | undefined;
  /** Of a model for faces: the name of the one that finds them. */
  readonly detector?: string | undefined;
  /** For a file whose sizes are open; otherwise they tell. */
  readonly scale?: 1 | 2 | 4 | undefined;
}

const LIMITS = { memory: 4e9, loadMs: 120_000, probeMs: 60_000, tileMs: 120_000 };

/** Reads what a model file says of itself, in a process of its own. @throws ModelRefused; AppError; the signal's reason. */
export async function readFacts(path: string, signal: AbortSignal): Promise<Opened> {
  const process = createModelProcess({ path, executionProviders: ['cpu'], limits: LIMITS });
  try {
    return await process.open(signal);
  } finally {
    await process.kill();
  }
}

/** Whether a port takes or gives a picture with rows of pixels; a picture has three planes or one. */
const isChannelsLast = ({ shape }: Port): boolean =>
  shape.length === 4 && shape[1] !== 3 && shape[1] !== 1 && (shape[3] === 3 || shape[3] === 1);
const sidesOf = ({ shape }: Port): readonly number[] =>
  shape.length === 4 ? (isChannelsLast({ shape } as Port) ? shape.slice(1, 3) : shape.slice(2)) : [];
const isPicture = (port: Port): boolean => port.shape.length === 4;

/** How many times larger the answer of a fixed size is. */
function scaleOf(image: Port, answer: Port): number | undefined {
  const [from = OPEN] = sidesOf(image);
  const [to = OPEN] = sidesOf(answer);
  return from === OPEN || to === OPEN ? undefined : to / from;
}

function scaleFor(family: Family, image: Port, answer: Port, options: DraftOptions): 1 | 2 | 4 {
  const known =
    options.scale ??
    scaleOf(image, answer) ??
    Number(/(?:x|×)([124])|([124])x/i.exec(options.name)?.slice(1).find(Boolean));
  const scales = family.scales ?? [family.fields.scale ?? 1];
  const found =
    scales.find((scale) => scale === known) ?? (scales.length === 1 && Number.isNaN(known) ? scales[0] : undefined);
  if (found !== undefined) return found;
  throw new ModelRefused(
    Number.isNaN(known)
      ? `does not say how many times larger it makes a picture: say --scale ${scales.join(' or ')}`
      : `makes a picture ×${known}; this family has ×${scales.join(', ×')}: choose another one with --like`,
  );
}

function namesOf({ inputs, outputs }: Facts, family: Family) {
  const pictures = inputs.filter(isPicture);
  const mask = pictures.find(({ name }) => /mask/i.test(name));
  const image = pictures.find((port) => port !== mask);
  const answer = outputs.find(isPicture) ?? outputs[0];
  if (image === undefined)
    throw new ModelRefused('takes no picture (no input of four dimensions): Heirloom cannot run it');
  if (answer === undefined) throw new ModelRefused('answers nothing: Heirloom cannot run it');
  if (family.fields.task === 'fill' && mask === undefined)
    throw new ModelRefused('takes no mask: choose another family with --like');
  return { image, answer, mask };
}

/** Inputs that hold one number each become parameters. */
function parametersOf({ inputs }: Facts, names: { image: Port; mask: Port | undefined }): Manifest['parameters'] {
  const left = inputs.filter((port) => port !== names.image && port !== names.mask);
  return Object.fromEntries(
    left.map(({ name, type, shape }) => [
      name,
      {
        type: type as 'float32',
        shape: shape.map((size) => Math.max(1, size)),
        default: 0.5,
        minimum: 0,
        maximum: 1,
        description: `The input ${name} of the model.`,
      },
    ]),
  );
}

/**
 * Writes the manifest of a model from its family and from what its file says.
 *
 * @throws ModelRefused for a file that the family does not fit, with what to do.
 */
export function draftManifest(family: Family, opened: Opened, options: DraftOptions): Manifest {
  const { facts, sha256, bytes } = opened;
  const names = namesOf(facts, family);
  const scale = scaleFor(family, names.image, names.answer, options);
  const [side = OPEN] = sidesOf(names.image);
  const { fields } = family;
  const overlap = side === OPEN ? fields.tile.overlap : Math.min(fields.tile.overlap, Math.floor(side / 4));
  const draft = {
    ...fields,
    name: options.name,
    title: options.title ?? options.name,
    description: family.description,
    task: fields.task === 'upscale' && scale === 1 ? 'restore' : fields.task,
    scale,
    file: `${options.name}.onnx`,
    sha256,
    bytes,
    layout: isChannelsLast(names.image) ? 'NHWC' : 'NCHW',
    colours: names.image.shape.some((size, axis) => size === 1 && axis > 0) ? 'L' : (fields.colours ?? 'RGB'),
    ...(options.detector !== undefined && { detector: options.detector }),
    tile: side === OPEN ? fields.tile : { size: side, overlap },
    fixedSize: side !== OPEN || fields.fixedSize === true,
    multiple: side === OPEN ? (fields.multiple ?? 1) : 1,
    inputs: { image: names.image.name, ...(names.mask === undefined ? {} : { mask: names.mask.name }) },
    outputs: { image: names.answer.name },
    parameters: parametersOf(facts, names),
    licence: options.licence ?? family.licence,
    source: options.source ?? 'added by hand',
  };
  const manifest = parseManifest(JSON.stringify(draft), `${options.name}.json`);
  const wrong = disagreement(facts, manifest);
  if (wrong !== undefined)
    throw new ModelRefused(`${wrong}, or choose another family with --like (${Object.keys(FAMILIES).join(', ')})`);
  return manifest;
}
