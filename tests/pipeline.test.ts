import { setTimeout as sleep } from 'node:timers/promises';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Measurements } from '../src/imaging/measure/measurements.ts';
import { measure } from '../src/imaging/measure/measure.ts';
import { NO_NETS } from '../src/imaging/nets.ts';
import { runPipeline, type Progress, type Step } from '../src/imaging/pipeline.ts';
import { createPixelPool } from '../src/imaging/pixels/pool.ts';
import { createRaster, type Raster } from '../src/imaging/raster.ts';
import { denoise } from '../src/imaging/steps/denoise.ts';
import { sharpen } from '../src/imaging/steps/sharpen.ts';
import { tone } from '../src/imaging/steps/tone.ts';
import { grain } from './fixtures/damage.ts';

const pixels = createPixelPool({ size: 2 });
afterAll(() => pixels.close());
const never = (): AbortSignal => new AbortController().signal;

function flat(width: number, height: number, channels: 1 | 3 = 1): Raster {
  const raster = createRaster({ width, height, channels, depth: 8 });
  raster.data.fill(128);
  return raster;
}

const source = flat(64, 64);
const measurements: Measurements = await measure(source, { pixels, signal: never() });

function step(name: string, weight: number, run: Step['run'] = async (raster) => raster): Step {
  return { name, stage: 'REPAIRING', plan: () => ({ run: true, strength: 1, weight, reason: `${name}.` }), run };
}

function pipeline(
  steps: readonly Step[],
  signal = never(),
  onProgress: (progress: Progress) => void = () => undefined,
) {
  return runPipeline(steps, source, {
    signal,
    onProgress,
    pixels,
    nets: NO_NETS,
    measurements,
    options: { strength: 1, upscale: 1 },
  });
}

describe('pipeline', () => {
  it('shares the percent out by weight and never lets it fall', async () => {
    const percents: number[] = [];
    const wild = step('wild', 3, async (raster, { onProgress }) => {
      for (const done of [0.5, 0.2, 2, -1]) onProgress(done);
      return raster;
    });
    await pipeline([step('first', 1), wild], never(), ({ percent }) => percents.push(percent));
    expect(percents).toContain(25);
    expect(percents).toContain(25 + 75 / 2);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect(percents.at(-1)).toBe(100);
  });

  it('says of every step whether it ran, how strongly and why', async () => {
    const idle: Step = { ...step('idle', 1), plan: () => ({ run: false, reason: 'Not called for.' }) };
    const { report, raster } = await pipeline([step('busy', 1), idle]);
    expect(report.steps).toEqual([
      { name: 'busy', ran: false, strength: 0, reason: 'busy.' },
      { name: 'idle', ran: false, strength: 0, reason: 'Not called for.' },
    ]);
    expect(raster).toBe(source);
  });

  it('does not begin the next step after an abort', async () => {
    const controller = new AbortController();
    const ran: string[] = [];
    const first = step('first', 1, async (raster) => {
      ran.push('first');
      controller.abort();
      return raster;
    });
    const second = step('second', 1, async (raster) => {
      ran.push('second');
      return raster;
    });
    await expect(pipeline([first, second], controller.signal)).rejects.toMatchObject({ name: 'AbortError' });
    expect(ran).toEqual(['first']);
  });
});

function refuse(): void {
  throw new Error('receiver');
}

describe('pixel pool', () => {
  const big = flat(2048, 2048);
  const sharpenInput = () => ({ source: big, target: createRaster(big), sigma: 1.5, amount: 1, margin: 2 });
  const area = { width: big.width, height: big.height };

  it('works through all tiles, with and without a remainder, and gives the same as one tile', async () => {
    const noisy = grain(flat(300, 170, 3), 20);
    const run = async (tileWidth: number, tileHeight: number): Promise<Raster> => {
      const target = createRaster(noisy);
      const input = { source: noisy, target, sigma: 1.2, amount: 0.8, margin: 3 };
      await pixels.run('sharpen', input, { width: 300, height: 170, tileWidth, tileHeight, signal: never() });
      return target;
    };
    const whole = await run(300, 170);
    expect((await run(64, 64)).data).toEqual(whole.data);
    expect((await run(300, 17)).data).toEqual(whole.data);
  });

  it('reports progress that rises to 1', async () => {
    const seen: number[] = [];
    await pixels.run('sharpen', sharpenInput(), { ...area, signal: never(), onProgress: (done) => seen.push(done) });
    expect(seen).toHaveLength(64);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(1);
  });

  it('drops the tiles that have not begun when the signal fires, and goes on with other work', async () => {
    const controller = new AbortController();
    let seen = 0;
    const running = pixels.run('sharpen', sharpenInput(), {
      ...area,
      signal: controller.signal,
      onProgress: () => {
        if (++seen === 3) controller.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(seen).toBe(3);
    await expect(pixels.run('sharpen', sharpenInput(), { ...area, signal: never() })).resolves.toHaveLength(64);
  });

  it('rejects when a kernel throws, and when the receiver of progress does', async () => {
    const broken = { ...sharpenInput(), source: undefined as unknown as Raster };
    await expect(pixels.run('sharpen', broken, { ...area, signal: never() })).rejects.toThrow(TypeError);
    await expect(
      pixels.run('sharpen', sharpenInput(), { ...area, signal: never(), onProgress: refuse }),
    ).rejects.toThrow('receiver');
  });

  it('fails the call of a worker that dies, and replaces it', async () => {
    const script = new URL('./fixtures/dying-worker.ts', import.meta.url);
    const own = createPixelPool({ size: 1, script });
    const deadly = { ...sharpenInput(), amount: -1 };
    await expect(own.run('sharpen', deadly, { ...area, signal: never() })).rejects.toThrow('died');
    await expect(own.run('sharpen', sharpenInput(), { ...area, signal: never() })).resolves.toHaveLength(64);
    await own.close();
  });

  it('rejects what is under way when it is closed, and everything afterwards', async () => {
    const own = createPixelPool({ size: 1 });
    const running = own.run('sharpen', sharpenInput(), { ...area, signal: never() });
    const [outcome] = await Promise.allSettled([running, own.close()]);
    expect(outcome).toMatchObject({ status: 'rejected', reason: { name: 'AbortError' } });
    await expect(own.run('sharpen', sharpenInput(), { ...area, signal: never() })).rejects.toThrow('closed');
  });

  it('gives back what nobody holds any more once it is idle, and works again', async () => {
    const own = createPixelPool({ size: 1, idleMs: 50 });
    const worked = async (): Promise<WeakRef<Raster['data']>> => {
      const photo = flat(2000, 2000, 3);
      await own.run('difference', { a: photo, b: photo }, { width: 2000, height: 2000, signal: never() });
      return new WeakRef(photo.data);
    };
    const data = await worked();
    await expect.poll(() => data.deref() === undefined, { timeout: 5000 }).toBe(true);
    await expect(own.run('sharpen', sharpenInput(), { ...area, signal: never() })).resolves.toHaveLength(64);
    await own.close();
  });

  it('keeps its threads while they are held, tidied up, and ends them afterwards', async () => {
    const script = new URL('./fixtures/counting-worker.ts', import.meta.url);
    const own = createPixelPool({ size: 1, idleMs: 30, script });
    const work = async (): Promise<unknown> => {
      const whole = { width: 64, height: 64, signal: never() };
      const [counts] = await own.run('sharpen', sharpenInput(), whole);
      return counts;
    };
    const release = [own.hold(), own.hold()];
    expect(await work()).toEqual({ worked: 1, tidied: 0 });
    await sleep(200);
    expect(await work()).toEqual({ worked: 2, tidied: 1 });
    release[0]!();
    release[0]!();
    await sleep(200);
    expect(await work()).toEqual({ worked: 3, tidied: 2 });
    release[1]!();
    await sleep(200);
    expect(await work()).toEqual({ worked: 1, tidied: 0 });
    await own.close();
  });

  it('lets the process end without being closed', async () => {
    const pool = fileURLToPath(new URL('../src/imaging/pixels/pool.ts', import.meta.url));
    const raster = fileURLToPath(new URL('../src/imaging/raster.ts', import.meta.url));
    const script = `
      import { createPixelPool } from ${JSON.stringify(pool)};
      import { createRaster } from ${JSON.stringify(raster)};
      const source = createRaster({ width: 64, height: 64, channels: 1, depth: 8 });
      const input = { a: source, b: source };
      const [part] = await createPixelPool().run('difference', input, { width: 64, height: 64, signal: new AbortController().signal });
      console.log(part.count);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output = child.stdout.toArray();
    const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(10_000) });
    expect(code).toBe(0);
    expect(Buffer.concat(await output).toString()).toBe('4096\n');
  });

  it('keeps the event loop free while two photos are processed at once', async () => {
    const photos = [grain(flat(1600, 1200, 3), 12), grain(flat(1600, 1200, 3), 12)];
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    await Promise.all(
      photos.map(async (photo) => {
        const found = await measure(photo, { pixels, signal: never() });
        const { report } = await runPipeline([denoise, tone, sharpen], photo, {
          signal: never(),
          onProgress: () => undefined,
          pixels,
          nets: NO_NETS,
          measurements: found,
          options: { strength: 1, upscale: 1 },
        });
        expect(report.steps[0]?.ran).toBe(true);
      }),
    );
    delay.disable();
    expect(delay.percentile(99) / 1e6).toBeLessThan(50);
  });
});
