import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { readConfig } from '../../src/config.ts';
import type { ServiceContext } from '../../src/db/context.ts';
import { createLog } from '../../src/log.ts';
import { openMechanisms } from '../../src/mechanisms.ts';
import type { RestoreContext, RestoreRequest } from '../../src/providers/provider.ts';
import { createFeatures, type Services } from '../../src/services.ts';
import { WITHOUT_NETS } from './without-nets.ts';

export interface Scripted {
  readonly services: Services;
  /** What a guest of this service asks with; one guest for all. */
  context(): Promise<ServiceContext>;
  /** Uploads a photo and submits a restoration of it; answers its id. */
  submit(bytes: Uint8Array): Promise<string>;
  close(): Promise<void>;
}

/**
 * Everything below the edges, with a provider whose tries begin with a script: what that throws, the provider throws.
 * Closed with the test.
 *
 * @param script before each try, which the built-in provider does if nothing is thrown.
 */
export async function startScripted(
  dataDir: string,
  script: (request: RestoreRequest, context: RestoreContext) => void | Promise<void>,
  env: Record<string, string> = {},
): Promise<Scripted> {
  const config = readConfig({ DATA_DIR: dataDir, SHUTDOWN_GRACE_SECONDS: '0', ...WITHOUT_NETS, ...env });
  const log = createLog('silent');
  const stack = new AsyncDisposableStack();
  const mechanisms = await openMechanisms(config, log, stack);
  const providers = mechanisms.providers.map((provider) => ({
    ...provider,
    async restore(request: RestoreRequest, context: RestoreContext) {
      await script(request, context);
      return provider.restore(request, context);
    },
  }));
  const { services, handlers, systemContext } = createFeatures({ ...mechanisms, providers });
  await mechanisms.queue.start(handlers);
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> =>
    (closed ??= mechanisms.queue.close(config.shutdownSeconds * 1000).then(() => stack.disposeAsync()));
  onTestFinished(close);
  let token: string | undefined;

  const self: Scripted = {
    services,
    async context() {
      const anonymous = { ...systemContext(), actor: { kind: 'anonymous', address: '127.0.0.1' } } as const;
      token ??= (await services.auth.startGuestSession(anonymous)).token;
      return { ...systemContext(), actor: (await services.auth.authenticate(token, '127.0.0.1')).actor };
    },
    async submit(bytes) {
      const spooled = mechanisms.spool.spool(Readable.from([Buffer.from(bytes)]));
      const file = Promise.resolve({ filename: 'photo.jpg', spooled });
      return (await services.submit(await self.context(), { file })).restoration.id;
    },
    close,
  };
  return self;
}

/** A data folder that goes with the test. */
export async function folderForTest(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'heirloom-scripted-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  return dataDir;
}
