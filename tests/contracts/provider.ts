import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RESTORATION_STAGES } from '../../src/imaging/pipeline.ts';
import type { Provider, RestoreProgress, RestoreRequest, RestoreResult } from '../../src/providers/provider.ts';

export interface ProviderFixture {
  create(): Promise<Provider> | Provider;
  /** A request for the photo that takes the provider about a second or more, so that there is time to abort. */
  slow(): Promise<RestoreRequest> | RestoreRequest;
  /** A request that succeeds. */
  quick(): Promise<RestoreRequest> | RestoreRequest;
}

const fingerprint = async (path: string): Promise<string> => {
  const { mtimeMs, size } = await stat(path);
  return `${size} ${mtimeMs} ${createHash('sha256')
    .update(await readFile(path))
    .digest('hex')}`;
};

const handles = (): string[] =>
  process.getActiveResourcesInfo().filter((kind) => kind === 'MessagePort' || kind === 'TCPSocketWrap');

/** What every provider has to hold. Run it on each. */
export function describeProvider(name: string, fixture: ProviderFixture): void {
  describe(`provider contract: ${name}`, () => {
    let provider: Provider;
    beforeAll(async () => {
      provider = await fixture.create();
    });
    afterAll(() => provider.close?.());

    const restore = async (request: RestoreRequest, signal = new AbortController().signal) => {
      const progress: RestoreProgress[] = [];
      let settled = false;
      let late = 0;
      const onProgress = (step: RestoreProgress): void => {
        progress.push(step);
        if (settled) late++;
      };
      const result: RestoreResult = await provider.restore(request, { signal, onProgress });
      settled = true;
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(late).toBe(0);
      return { progress, result };
    };

    it('has a stable lower-case id and says whether it is available', async () => {
      expect(provider.id).toMatch(/^[a-z][a-z0-9-]*$/);
      const status = await provider.status(new AbortController().signal);
      expect(status.available || (status.reason ?? '').length > 0).toBe(true);
    });

    it('describes its models completely and each under its own name', () => {
      const models = provider.models();
      expect(new Set(models.map((model) => model.name)).size).toBe(models.length);
      for (const model of models) {
        expect(model.description).not.toBe('');
        expect(model.upscales.length).toBeGreaterThan(0);
        expect(model.bytesPerPixel.input + model.bytesPerPixel.output).toBeGreaterThan(0);
      }
    });

    it('reports known stages and a percent that begins low, never falls and ends at 100', async () => {
      const { progress } = await restore(await fixture.quick());
      const percents = progress.map((step) => step.percent);
      expect(percents.length).toBeGreaterThan(3);
      expect(percents[0]).toBeLessThanOrEqual(10);
      expect(percents).toEqual(percents.toSorted((a, b) => a - b));
      expect(percents.at(-1)).toBe(100);
      for (const step of progress) expect(RESTORATION_STAGES).toContain(step.stage);
    });

    it('returns a picture and leaves the input file as it was', async () => {
      const request = await fixture.quick();
      const before = await fingerprint(request.input.path);
      const { result } = await restore(request);
      const { picture } = result;
      const size = picture.kind === 'file' ? (await stat(picture.path)).size : picture.raster.data.length;
      expect(size).toBeGreaterThan(0);
      expect(await fingerprint(request.input.path)).toBe(before);
    });

    it('ends with the reason of the signal within 500 ms of an abort in the middle, and says no more', async () => {
      const controller = new AbortController();
      const request = await fixture.slow();
      let abortedAt = 0;
      let after = 0;
      const running = provider.restore(request, {
        signal: controller.signal,
        onProgress: ({ percent }) => {
          if (abortedAt > 0) after++;
          else if (percent > 15) {
            abortedAt = performance.now();
            controller.abort();
          }
        },
      });
      await expect(running).rejects.toMatchObject({ name: 'AbortError' });
      expect(abortedAt).toBeGreaterThan(0);
      expect(performance.now() - abortedAt).toBeLessThan(500);
      const said = after;
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(after).toBe(said);
    });

    it('does not begin when the signal has fired already', async () => {
      const request = await fixture.quick();
      await expect(restore(request, AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
    });

    it('refuses a model it does not have', async () => {
      const request = { ...(await fixture.quick()), model: 'no-such-model' };
      await expect(restore(request)).rejects.toMatchObject({ name: 'AppError' });
    });

    it('works on several photos at once', async () => {
      const request = await fixture.quick();
      const results = await Promise.all([restore(request), restore({ ...request, restorationId: 'other' })]);
      expect(results).toHaveLength(2);
    });

    it('leaves no handle open after close', async () => {
      const own = await fixture.create();
      const before = handles().length;
      const request = await fixture.quick();
      await own.restore(request, { signal: new AbortController().signal, onProgress: () => undefined });
      await own.close?.();
      await own.close?.();
      expect(handles().length).toBeLessThanOrEqual(before);
    });
  });
}
