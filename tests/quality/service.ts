import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { QUALITIES, type Nets, type Quality } from '../../src/imaging/nets.ts';
import { createPixelPool } from '../../src/imaging/pixels/pool.ts';
import { maxSample, type Raster } from '../../src/imaging/raster.ts';
import { createBuiltinProvider } from '../../src/providers/builtin.ts';
import type { Provider, ProviderModel, RestoreOptions, RestoreResult } from '../../src/providers/provider.ts';
import type { Damaged, KindName } from './damage/kinds.ts';
import { decode } from './files.ts';
import { fromSamples, type Picture, type Plane } from './picture.ts';

/**
 * The service's models, as the queue would run them, with the nets where there are some. Its threads stay, as they do where one photo
 * follows another: else what a trial costs would tell how long the baselines before it took.
 */
export function openProvider(nets?: Nets): Provider {
  const pixels = createPixelPool();
  const release = pixels.hold();
  const provider = createBuiltinProvider({ pixels, ...(nets === undefined ? {} : { nets }) });
  return {
    ...provider,
    async close() {
      release();
      await provider.close?.();
      await pixels.close();
    },
  };
}

/** One of the service's models with options. */
export interface Subject {
  /** As the table names it, e.g. `auto`, `repair (FORCE)`. */
  readonly name: string;
  readonly model: string;
  readonly kinds: readonly KindName[];
  readonly options: Readonly<Record<string, unknown>>;
}

const ALL: readonly KindName[] = [
  'grain',
  'jpeg',
  'blur',
  'half',
  'scratches',
  'soft-scratches',
  'fade',
  'mix',
  'undamaged',
];
/** What a model is measured on, by what it is for. */
const KINDS_OF: Partial<Record<ProviderModel['capability'], readonly KindName[]>> = {
  RESTORE: ALL,
  ENHANCE: ALL.filter((kind) => kind !== 'half'),
  DENOISE: ['grain', 'jpeg', 'mix', 'undamaged'],
  REPAIR: ['scratches', 'soft-scratches', 'mix', 'undamaged'],
  TONE: ['fade', 'mix', 'undamaged'],
  UPSCALE: ['half'],
};

const takes = ({ options }: ProviderModel, option: string): boolean => (options as readonly string[]).includes(option);

/** What is measured: every model at the chosen quality, `auto` on the mix at the others, repairing also where it is forced. */
export function subjectsOf(provider: Provider, quality: Quality): readonly Subject[] {
  const measured = provider.models().filter(({ capability, upscales }) => {
    return KINDS_OF[capability] !== undefined && (capability !== 'UPSCALE' || upscales.includes(2));
  });
  return measured.flatMap((model): Subject[] => {
    const { name } = model;
    const kinds = KINDS_OF[model.capability] ?? [];
    const chosen = takes(model, 'quality') ? { quality } : {};
    const subjects: Subject[] = [{ name, model: name, kinds, options: chosen }];
    if (takes(model, 'quality') && model.capability === 'RESTORE') {
      for (const other of QUALITIES.filter((one) => one !== quality)) {
        subjects.push({ name: `${name} (${other})`, model: name, kinds: ['mix'], options: { quality: other } });
      }
    }
    if (takes(model, 'repair') && model.capability === 'REPAIR') {
      const forced = { ...chosen, repair: 'FORCE' };
      subjects.push({ name: `${name} (FORCE)`, model: name, kinds: ['scratches', 'soft-scratches'], options: forced });
    }
    return subjects;
  });
}

export interface Restored {
  readonly picture: Picture;
  /** What was repaired, 0–1, where the model tells. */
  readonly mask?: Plane;
  /** By the clock, and of all cores together; the second means something on a busy machine too. */
  readonly milliseconds: number;
  readonly cpuMilliseconds: number;
  /** Bytes of the whole process while the model ran, at most. */
  readonly peakRss: number;
  readonly report: RestoreResult['report'];
}

const fromRaster = (raster: Raster): Picture => fromSamples(raster.data, raster, maxSample(raster));

function maskOf(result: RestoreResult): Plane | undefined {
  const { mask } = result as RestoreResult & { readonly mask?: Raster };
  return mask === undefined ? undefined : fromRaster(mask).planes[0];
}

/** Watches the memory of this process. */
function watchMemory(): { end(): number } {
  let most = process.memoryUsage.rss();
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 10);
  return {
    end() {
      clearInterval(timer);
      return Math.max(most, process.memoryUsage.rss());
    },
  };
}

/** One restoration through the provider port. @throws what the provider throws. */
export async function restoreWith(
  provider: Provider,
  { model, options }: Pick<Subject, 'model' | 'options'>,
  damaged: Damaged,
  dir: string,
): Promise<Restored> {
  const { width, height } = damaged.picture;
  const path = join(dir, `photo.${damaged.format}`);
  await writeFile(path, damaged.file);
  const upscale = damaged.clean.width > width ? { upscale: 2 as const } : {};
  const request = {
    restorationId: 'quality',
    attempt: 1,
    model,
    parameters: {},
    options: { ...upscale, ...options } as RestoreOptions,
    input: {
      path,
      format: damaged.format,
      width,
      height,
      bytes: damaged.file.length,
      mimeType: `image/${damaged.format}`,
    },
  };
  const memory = watchMemory();
  const cpu = process.cpuUsage();
  const began = performance.now();
  const result = await provider.restore(request, { signal: new AbortController().signal, onProgress: () => {} });
  const milliseconds = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const peakRss = memory.end();
  const picture =
    result.picture.kind === 'raster' ? fromRaster(result.picture.raster) : await decode(result.picture.path);
  const mask = maskOf(result);
  return {
    picture,
    milliseconds,
    cpuMilliseconds: (user + system) / 1000,
    peakRss,
    report: result.report,
    ...(mask === undefined ? {} : { mask }),
  };
}
