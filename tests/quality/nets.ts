import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Nets } from '../../src/imaging/nets.ts';

export type OpenNets = Nets & { tryAll(): Promise<unknown>; close(): Promise<void> };

const ROOT = join(import.meta.dirname, '..', '..');
const MODELS = join(ROOT, 'models');
const MODULE = join(ROOT, 'src', 'inference', 'nets.ts');

/** The nets of a folder as the service opens them, or undefined where this version of Heirloom ships none. */
async function open(options: Readonly<Record<string, unknown>>): Promise<OpenNets | undefined> {
  const files = await readdir(MODELS).catch(() => []);
  if (!files.some((file) => file.endsWith('.onnx'))) return undefined;
  const { openNets } = await import(pathToFileURL(MODULE).href);
  const nets: OpenNets = await openNets(options);
  await nets.tryAll();
  return nets;
}

export const openShippedNets = (): Promise<OpenNets | undefined> => open({});

/** The same nets with tiles as large as a picture, so that it is worked through in one piece. */
export async function openWholeNets(): Promise<OpenNets | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'heirloom-whole-'));
  await mkdir(folder, { recursive: true });
  for (const file of await readdir(MODELS).catch(() => [])) {
    const [from, to] = [join(MODELS, file), join(folder, basename(file))];
    if (!file.endsWith('.json')) await copyFile(from, to);
    else {
      const manifest = JSON.parse(await readFile(from, 'utf8'));
      await writeFile(to, JSON.stringify({ ...manifest, tile: { ...manifest.tile, size: 4096 } }));
    }
  }
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  // Memory and time per tile that no picture of this size reaches.
  const nets = await open({ folder, memory: 64e9, windowMs: 1e9 });
  if (nets === undefined) {
    await remove();
    return undefined;
  }
  return { ...nets, close: () => nets.close().finally(remove) };
}
