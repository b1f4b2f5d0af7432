import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect } from 'vitest';
import { until } from './service.ts';

/** A service in a process of its own; `startProcess` gives all but the folder. */
export interface Subject {
  readonly url: string;
  readonly child: { readonly pid?: number | undefined; readonly exitCode: number | null };
  readonly dataDir: string;
  /** Lines of its log, and what it wrote to standard error. */
  readonly lines: readonly string[];
  stderr(): string;
}

/** What Node, or a library, says when somebody has forgotten to listen. */
const NOT_HANDLED = /unhandled|uncaught|MaxListenersExceeded|"level":60/i;

const WITHIN = { readyMs: 5000, temporaryMs: 10_000, memoryMs: 60_000 };
const GROWTH_MB = 50;

function field(pid: number, name: 'VmRSS' | 'VmHWM'): number {
  return (Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024) / 1e6;
}

/** What a process holds in memory now, in MB of 10^6 bytes; NaN where there is no /proc. */
export function rssMb({ child }: Pick<Subject, 'child'>): number {
  return process.platform === 'linux' && child.pid !== undefined ? field(child.pid, 'VmRSS') : Number.NaN;
}

/** The most it has held since it started, or since `5` was written to its `clear_refs`. */
export function peakRssMb({ child }: Pick<Subject, 'child'>): number {
  return process.platform === 'linux' && child.pid !== undefined ? field(child.pid, 'VmHWM') : Number.NaN;
}

async function answersReady(url: string): Promise<boolean> {
  const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(1000) }).catch(() => null);
  await answer?.body?.cancel();
  return answer?.status === 200;
}

/** `ok`, or what SQLite finds wrong; read beside the service. */
export function integrityOf(dataDir: string): string {
  const database = new Database(join(dataDir, 'heirloom.sqlite'), { readonly: true, timeout: 5000 });
  try {
    return database.pragma('integrity_check', { simple: true }) as string;
  } finally {
    database.close();
  }
}

/**
 * What holds after every fault, once nothing is under way any more: the process is up, ready within 5 s, its database
 * whole, nothing unhandled in what it said, no temporary file left, and its memory back under `idleMb` + 50 MB within
 * 60 s.
 *
 * @param idleMb `rssMb` before the fault, after a first request of each kind; leave it out for a process that was
 *   started anew by the fault itself.
 */
export async function expectGroundRule(service: Subject, idleMb?: number): Promise<void> {
  await until(() => answersReady(service.url), WITHIN.readyMs, 50);
  expect(service.child.exitCode).toBeNull();
  expect(integrityOf(service.dataDir)).toBe('ok');
  await until(async () => (await readdir(join(service.dataDir, 'tmp'))).length === 0, WITHIN.temporaryMs, 50);
  if (idleMb !== undefined && process.platform === 'linux') {
    await until(() => rssMb(service) < idleMb + GROWTH_MB, WITHIN.memoryMs, 200).catch(() => {
      expect(rssMb(service), 'MB held a minute after the fault').toBeLessThan(idleMb + GROWTH_MB);
    });
  }
  const said = [...service.lines, ...service.stderr().split('\n')];
  expect(said.filter((line) => NOT_HANDLED.test(line))).toEqual([]);
}
