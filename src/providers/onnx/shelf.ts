import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ManifestError, readManifest, type Manifest } from '../../inference/manifest.ts';
import { isRestricted } from './licence.ts';

/** What lies in the folder of models under one name: a model with its manifest, or why there is none. */
export type ShelfEntry =
  | {
      readonly kind: 'model';
      readonly name: string;
      readonly path: string;
      readonly manifest: Manifest;
      /** What finds faces for it. */
      readonly detector?: { readonly path: string; readonly manifest: Manifest };
      readonly problem?: string;
    }
  | { readonly kind: 'broken'; readonly name: string; readonly problem: string };

const stem = (file: string): string => file.slice(0, file.lastIndexOf('.'));
/** A name that can be asked for, whatever the file is called. */
const nameOf = (file: string): string =>
  stem(file)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64) || 'unnamed';

async function readEntry(folder: string, file: string, allowRestricted: boolean): Promise<ShelfEntry> {
  const name = nameOf(file);
  try {
    const manifest = await readManifest(join(folder, file));
    if (manifest.name !== stem(file)) {
      const problem = `The manifest ${file} has the name ${manifest.name}: call it ${manifest.name}.json, or change its \`name\`.`;
      return { kind: 'broken', name, problem };
    }
    const path = join(folder, manifest.file);
    if (allowRestricted || !isRestricted(manifest.licence)) return { kind: 'model', name, path, manifest };
    const problem = `Its licence ${manifest.licence} forbids commercial use: set ALLOW_NONCOMMERCIAL_MODELS=true if yours is none.`;
    return { kind: 'model', name, path, manifest, problem };
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    return { kind: 'broken', name, problem: error.message };
  }
}

/** A model for faces with what finds them; a model that finds faces is none that a photo could be given to. */
function withDetector(entry: ShelfEntry, all: readonly ShelfEntry[]): ShelfEntry {
  if (entry.kind === 'broken' || entry.problem !== undefined) return entry;
  const { task, detector: wanted } = entry.manifest;
  if (task === 'detect')
    return { ...entry, problem: 'It finds faces for models that restore them, and restores nothing itself.' };
  if (task !== 'face') return entry;
  const found = all.find(({ name }) => name === wanted);
  const add = 'add one with `npm run cli -- models add FILE --like yunet`';
  if (found === undefined) return { ...entry, problem: `Its detector of faces, ${wanted}, is not there: ${add}.` };
  if (found.kind === 'broken') return { ...entry, problem: `Its detector of faces cannot be used. ${found.problem}` };
  if (found.manifest.task !== 'detect') {
    return { ...entry, problem: `${wanted} does not find faces: ${add}, and name it as \`detector\`.` };
  }
  if (found.problem !== undefined)
    return { ...entry, problem: `Its detector of faces cannot be used. ${found.problem}` };
  return { ...entry, detector: { path: found.path, manifest: found.manifest } };
}

/**
 * Everything in a folder of models: a `NAME.json` for each `NAME.onnx`. A folder that is not there holds none. Models are not opened here.
 *
 * @param allowRestricted whether models for non-commercial use only may be used.
 */
export async function readShelf(folder: string, allowRestricted: boolean): Promise<ShelfEntry[]> {
  const files = (await readdir(folder).catch((): string[] => [])).toSorted();
  const manifests = files.filter((file) => file.endsWith('.json'));
  const entries = await Promise.all(manifests.map((file) => readEntry(folder, file, allowRestricted)));
  const described = new Set(
    entries.flatMap((entry) => (entry.kind === 'model' ? [entry.manifest.file] : [`${entry.name}.onnx`])),
  );
  for (const file of files.filter((each) => each.endsWith('.onnx') && !described.has(each))) {
    const problem = `There is no manifest for ${file}: write one with \`npm run cli -- models add MODELS_DIR/${file} --like FAMILY\`.`;
    entries.push({ kind: 'broken', name: nameOf(file), problem });
  }
  const taken = new Set<string>();
  const unique = entries.filter(({ name }) => !taken.has(name) && taken.add(name));
  return unique.map((entry) => withDetector(entry, unique));
}
