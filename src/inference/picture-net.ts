import { AppError } from '../errors.ts';
import type { NetRun, PictureNet } from '../imaging/nets.ts';
import { NoPicture } from '../imaging/no-picture.ts';
import { colourChannels, type Raster } from '../imaging/raster.ts';
import { planTiles, tileSize } from '../imaging/tiles.ts';
import type { OwnNet } from './own-net.ts';
import type { NetFigures } from './protocol.ts';
import type { InferenceThread } from './thread-handle.ts';

export interface PictureNetDeps {
  readonly net: OwnNet;
  readonly thread: InferenceThread;
  /** What a window may take, in bytes and in milliseconds. */
  readonly memory: number;
  readonly windowMs: number;
  /** What nets were found to cost when they were loaded, by name. */
  readonly figures: Map<string, NetFigures>;
  /** Told why the net cannot be used; answers with the whole sentence. */
  readonly refuse: (why: string) => string;
}

/** Before it is known; more than small nets take. */
const BYTES_PER_PIXEL = 800;
/** Share of the latest window in what is expected of the next. */
const FOLLOW = 0.2;

export function createPictureNet({ net, thread, memory, windowMs, figures, refuse }: PictureNetDeps): PictureNet {
  const { name, task, scale, controls, cost, planes } = net;
  const failed = (message: string, cause?: unknown): AppError =>
    new AppError('INTERNAL_SERVER_ERROR', message, { cause });

  function planFor({ width, height }: Raster) {
    const { msPerMegapixel, bytesPerPixel } = figures.get(name) ?? {
      msPerMegapixel: cost,
      bytesPerPixel: BYTES_PER_PIXEL,
    };
    const size = tileSize({
      wanted: net.tile,
      bytes: memory,
      // The buffers of a window: its input and its answer, as floats.
      bytesPerPixel: bytesPerPixel + 4 * (3 + controls.length + planes * scale ** 2),
      milliseconds: windowMs,
      msPerMegapixel,
    });
    return planTiles(width, height, { ...net.tile, size });
  }

  /** What a window took in truth changes the size of those of the next picture. */
  function learn(ms: number, pixels: number): void {
    const known = figures.get(name);
    if (known === undefined) return;
    const latest = (ms * 1e6) / pixels;
    figures.set(name, { ...known, msPerMegapixel: known.msPerMegapixel * (1 - FOLLOW) + latest * FOLLOW });
  }

  return {
    name,
    task,
    scale,
    controls,
    cost,

    async run(source, target, { controls: given, share = 1, signal, onProgress }) {
      signal.throwIfAborted();
      const wrong = misfit(net, source, target, given, share);
      if (wrong !== undefined) throw failed(`The net “${name}” was called wrongly: ${wrong}.`);
      const plan = planFor(source);
      const pixels = plan.columns.size * plan.rows.size;
      const stop = new Int32Array(new SharedArrayBuffer(4));
      let broken: { readonly reason: unknown } | undefined;
      const abort = (): void => {
        Atomics.store(stop, 0, 1);
      };
      signal.addEventListener('abort', abort, { once: true });
      const values = controls.map((control) => given[control] ?? 0);
      const end = await thread.run({ net, source, target, controls: values, share, plan, stop }, (done, ms) => {
        learn(ms, pixels);
        try {
          if (!signal.aborted) onProgress?.(done / plan.count);
        } catch (reason) {
          broken ??= { reason };
          abort();
        }
      });
      signal.removeEventListener('abort', abort);
      signal.throwIfAborted();
      if (broken !== undefined) throw broken.reason;
      switch (end.end) {
        case 'finished':
          return;
        case 'stopped':
          throw new DOMException('The nets were closed.', 'AbortError');
        case 'refused':
          throw new AppError('MODEL_UNAVAILABLE', refuse(end.reason));
        case 'useless':
          throw new NoPicture(end.reason);
        case 'failed':
          throw failed(`The net “${name}” failed in the middle of a photo.`, new Error(end.reason));
        case 'lost':
          throw failed('The thread in which nets run died in the middle of a photo.', end.cause);
      }
    },
  };
}

/** What is wrong with the arguments of a run, as a part of a sentence. */
function misfit(
  { scale, controls, planes }: OwnNet,
  source: Raster,
  target: Raster,
  given: NetRun['controls'],
  share: number,
): string | undefined {
  if (target.width !== source.width * scale || target.height !== source.height * scale) {
    return `the target must be ${scale} times as wide and high as the source`;
  }
  if (planes === 1 ? target.channels !== 1 : colourChannels(target) !== colourChannels(source)) {
    return 'the target has other channels than the net writes';
  }
  if (!(share >= 0 && share <= 1)) return 'the share is not between 0 and 1';
  if (share < 1 && (scale !== 1 || planes === 1)) return 'only a net that keeps the picture can be mixed with it';
  for (const control of controls) {
    const value = given[control];
    if (value === undefined) return `the control ${control} is missing`;
    if (typeof value === 'number' ? !(value >= 0 && value <= 1) : !sameSize(value, source)) {
      return `the control ${control} is neither between 0 and 1 nor a picture of the same size`;
    }
  }
  return undefined;
}

function sameSize(a: Raster, b: Raster): boolean {
  return a.width === b.width && a.height === b.height;
}
