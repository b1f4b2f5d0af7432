import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { NetTask } from '../imaging/nets.ts';
import { ManifestError, readManifest } from './manifest.ts';
import { ownNet, type OwnNet } from './own-net.ts';

/** A net that is not there, with a sentence that says why. */
export interface NetProblem {
  readonly name: string;
  readonly reason: string;
  /** What it would have done; absent where its manifest does not tell. */
  readonly task?: NetTask;
  /** The part of the sentence that others may share with it; absent where the sentence is a whole. */
  readonly why?: string;
}

export interface Shelf {
  readonly nets: readonly OwnNet[];
  readonly problems: readonly NetProblem[];
}

/** Where the nets that ship with Heirloom lie, wherever the process was started. */
export const MODELS_FOLDER = join(import.meta.dirname, '..', '..', 'models');

const list = new Intl.ListFormat('en-GB');

/** Reads the manifests in a folder; a folder that is not there holds none. The files themselves are looked at when they are loaded. */
export async function readShelf(folder: string): Promise<Shelf> {
  const files = await readdir(folder).catch(() => []);
  const nets: OwnNet[] = [];
  const problems: NetProblem[] = [];
  for (const file of files.filter((name) => name.endsWith('.json')).toSorted()) {
    const name = file.slice(0, -'.json'.length);
    try {
      const manifest = await readManifest(join(folder, file));
      const net = ownNet(manifest, (model) => join(folder, model));
      if (typeof net === 'string') problems.push({ name, why: net, reason: because([name], net) });
      else if (await exists(net.path)) nets.push(net);
      else problems.push(problemOf(net, `its file ${manifest.file} is missing`));
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
      problems.push({ name, reason: error.message });
    }
  }
  return { nets, problems };
}

/** A whole sentence about nets that cannot be used. */
export function because(names: readonly string[], why: string): string {
  const quoted = list.format(names.map((name) => `“${name}”`));
  return `The net${names.length === 1 ? '' : 's'} ${quoted} cannot be used: ${why}.`;
}

/** @param why a part of a sentence. */
export function problemOf({ name, task }: OwnNet, why: string): NetProblem {
  return { name, task, why, reason: because([name], why) };
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
