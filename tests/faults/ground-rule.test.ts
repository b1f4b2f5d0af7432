import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { expectGroundRule, rssMb } from '../helpers/ground-rule.ts';
import { startProcess } from '../helpers/process.ts';

it('the ground rule holds for a service at rest, and is broken by what it names', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'heirloom-rule-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  const service = { ...(await startProcess(dataDir)), dataDir };
  await expectGroundRule(service, rssMb(service));

  const unhandled = { ...service, stderr: () => 'triggerUncaughtException(err, true /* fromPromise */);' };
  await expect(expectGroundRule(unhandled)).rejects.toThrow('to deeply equal []');
  await expect(expectGroundRule({ ...service, url: 'http://127.0.0.1:9' })).rejects.toThrow('not within 5000 ms');
  await writeFile(join(dataDir, 'tmp', 'left-over.part'), 'x');
  await expect(expectGroundRule(service)).rejects.toThrow('not within 10000 ms');
});
