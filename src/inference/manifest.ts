import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import * as z from 'zod';

/** What a model does with a picture. */
export const TASKS = {
  restore: 'takes out grain, blur or compression artefacts and keeps the size',
  upscale: 'makes the picture larger',
  mask: 'finds damage: the answer is one plane, 1 where the picture is damaged',
  fill: 'fills what a mask covers',
  colourise: 'gives a grey picture colours',
  face: 'restores faces: each is given to it upright, by itself',
  detect: 'finds faces for models of the task face; it has the outputs of YuNet',
} as const;
export type ModelTask = keyof typeof TASKS;

/** A manifest is a page of text. */
const MAX_BYTES = 65_536;

const name = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be lower case letters, digits, dots and dashes');
const tensorName = z.string().min(1).max(200);
const range = z
  .tuple([z.number(), z.number()])
  .refine(([low, high]) => low < high, 'must be two numbers, the lower one first');

/** One more input of a model that a person may set, such as the `weight` of CodeFormer; the key is the input's name. */
const parameter = z.strictObject({
  /** Element type of the input. */
  type: z.enum(['float32', 'float64', 'int64']).default('float32'),
  /** Of the input; it is filled with the one value. */
  shape: z.array(z.number().int().min(1).max(16)).max(4).default([1]),
  default: z.number(),
  minimum: z.number(),
  maximum: z.number(),
  /** One plain sentence for whoever sets it. */
  description: z.string().min(1).max(500),
});
export type ManifestParameter = z.infer<typeof parameter>;

const schema = z
  .strictObject({
    name,
    /** For people. */
    title: z.string().min(1).max(100),
    /** One or two sentences: what it does and what it does not. */
    description: z.string().min(1).max(2000),
    task: z.enum(Object.keys(TASKS) as ModelTask[]),
    /** How many times longer each side becomes. */
    scale: z.union([z.literal(1), z.literal(2), z.literal(4)], 'must be 1, 2 or 4').default(1),
    /** The model, beside the manifest. */
    file: z.string().regex(/^[\w][\w. -]{0,199}\.onnx$/, 'must be the name of an .onnx file beside the manifest'),
    /** Of `file`, in hexadecimal. */
    sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits in lower case'),
    /** Length of `file`. */
    bytes: z.number().int().min(1),
    layout: z.enum(['NCHW', 'NHWC']).default('NCHW'),
    /** What black and white are in the image input. */
    range: range.default([0, 1]),
    /** The same in the output; `detect` = 0–1 or 0–255, told by the values. Default: as the input. */
    outputRange: z.union([range, z.literal('detect')]).optional(),
    /** Order of the planes; `L` = one grey plane. */
    colours: z.enum(['RGB', 'BGR', 'L']).default('RGB'),
    /** Planes behind the colours, 0–1, in their order, such as `noise`. */
    controls: z.array(z.string().min(1)).max(8).default([]),
    /** Both sides of what the model is given are multiples of this. */
    multiple: z.number().int().min(1).max(512).default(1),
    /** How a picture goes on beyond its border, where a tile has to be filled up: by reflection. */
    padding: z.literal('mirror').default('mirror'),
    /** In pixels of the input: side of a tile with its overlap, and how far neighbours overlap. */
    tile: z
      .strictObject({ size: z.number().int().min(16).max(4096), overlap: z.number().int().min(0).max(512) })
      .refine(({ size, overlap }) => overlap * 2 < size, 'overlap must be less than half of size'),
    /** True for a model whose input is always `tile.size` wide and high. */
    fixedSize: z.boolean().default(false),
    /** Names of the inputs in the file. */
    inputs: z.strictObject({ image: tensorName, mask: tensorName.optional() }).default({ image: 'input' }),
    /** Names of the outputs in the file; others are left unread. */
    outputs: z.strictObject({ image: tensorName }).default({ image: 'output' }),
    /** For the task face: the name of the manifest of the model that finds the faces. */
    detector: name.optional(),
    parameters: z.record(tensorName, parameter).default({}),
    /** Milliseconds per megapixel of the input on a common machine. */
    cost: z.number().min(0),
    /** SPDX id of the weights, or a LicenseRef. */
    licence: z.string().min(1).max(200),
    /** Where the file comes from. */
    source: z.string().min(1).max(500),
    version: z.string().min(1).max(50).default('1'),
  })
  .superRefine((manifest, context) => {
    const wrong = (field: string, message: string): void =>
      context.addIssue({ code: 'custom', path: [field], message });
    if (manifest.task === 'upscale' ? manifest.scale === 1 : manifest.scale !== 1) {
      wrong('scale', manifest.task === 'upscale' ? 'must be 2 or 4 for the task upscale' : 'must be 1 for this task');
    }
    if (manifest.task === 'face' && manifest.detector === undefined) {
      wrong('detector', 'must name the manifest of a model of the task detect');
    }
    if (manifest.task !== 'face' && manifest.detector !== undefined) wrong('detector', 'belongs to the task face only');
    if ((manifest.task === 'face' || manifest.task === 'detect') && !manifest.fixedSize) {
      wrong('fixedSize', 'must be true for this task');
    }
    if (manifest.tile.size % manifest.multiple !== 0) wrong('tile', `size must be a multiple of ${manifest.multiple}`);
    for (const [key, { default: value, minimum, maximum }] of Object.entries(manifest.parameters)) {
      if (!(minimum <= value && value <= maximum))
        wrong(`parameters.${key}`, 'default must lie from minimum to maximum');
    }
  });

/** Everything that has to be known of a model in ONNX form to run it: `NAME.json` beside `NAME.onnx`. */
export type Manifest = z.infer<typeof schema>;

/** A manifest that cannot be used: one sentence that names the file and the field and says what to do. */
export class ManifestError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ManifestError';
  }
}

/**
 * @param text JSON. @param label how the file is called in messages.
 * @throws ManifestError that names every wrong field.
 */
export function parseManifest(text: string, label: string): Manifest {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new ManifestError(
      `The manifest ${label} is not JSON (${(error as Error).message}): mend it or write it anew.`,
      error,
    );
  }
  const result = schema.safeParse(parsed);
  if (result.success) return result.data;
  const fields = result.error.issues.map(({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`);
  throw new ManifestError(`The manifest ${label} is wrong in ${fields.join('; ')}. Correct it there.`);
}

/**
 * Reads one manifest.
 *
 * @throws ManifestError for a file that is missing, too long, not JSON or wrong in a field.
 */
export async function readManifest(path: string): Promise<Manifest> {
  const label = basename(path);
  let text: string;
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    if (size > MAX_BYTES)
      throw new ManifestError(`The manifest ${label} is longer than ${MAX_BYTES} bytes: shorten it.`);
    text = await file.readFile('utf8');
  } catch (error) {
    if (error instanceof ManifestError) throw error;
    throw new ManifestError(`The manifest ${label} cannot be read: put a readable file there or take it out.`, error);
  }
  return parseManifest(text, label);
}
