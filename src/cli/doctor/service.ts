import { createServer } from 'node:net';
import { once } from 'node:events';
import { ConfigError } from '../../config.ts';
import { explainStartup } from '../../startup.ts';
import { holderOf } from '../data-folder.ts';
import { reasonOf } from '../exit.ts';
import { ok, problem, warning, type Examined, type Finding } from './finding.ts';

const ANSWER_MS = 5000;

async function askHealth(url: string, signal: AbortSignal): Promise<Finding> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  try {
    const answer = await fetch(`${url}/health/ready`, { signal: patience });
    if (answer.ok) return ok(`the service at ${url} is ready`);
    return problem(`the service at ${url} is not ready: ${(await answer.text()).trim()}`, 'look at its log');
  } catch (error) {
    return problem(`the service at ${url} does not answer: ${reasonOf(error)}`, 'look at its log, or start it again');
  }
}

export async function* examineService({ config, signal }: Examined): AsyncGenerator<Finding> {
  const holder = await holderOf(config.dataDir);
  if (holder.kind === 'service') {
    yield await askHealth(holder.owner.url, signal);
    return;
  }
  if (holder.kind === 'process') {
    yield warning(`another process works on ${config.dataDir}`, 'wait until it has started or ended');
    return;
  }
  const server = createServer();
  try {
    server.listen(config.port, config.host);
    await once(server, 'listening');
    yield ok(`nothing runs; PORT ${config.port} is free`);
  } catch (error) {
    const told = explainStartup(error, config);
    yield problem(told instanceof ConfigError ? told.problems.join('; ') : reasonOf(told), 'then start the service');
  } finally {
    server.close();
  }
}
