import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createSessionWatch } from '../src/http/sessions.ts';
import { createLog } from '../src/log.ts';
import { appForTest, clientOf, type TestClient } from './helpers/app.ts';
import { runCli } from './helpers/cli.ts';
import { startProcess } from './helpers/process.ts';
import { openSession } from './helpers/raw-socket.ts';
import { ACTIVITY } from './helpers/service.ts';

/** Follows the activity by server-sent events; resolves with the time it took once the stream has ended well. */
async function streamOf({ url }: TestClient, token: string): Promise<{ status: number; ended: Promise<string> }> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: ACTIVITY }),
  });
  return { status: response.status, ended: response.text() };
}

async function socketOf({ url }: TestClient, token: string): Promise<Promise<number>[]> {
  const session = await openSession(url, token);
  onTestFinished(() => session.socket.terminate());
  session.send({ type: 'subscribe', id: '1', payload: { query: ACTIVITY } });
  return [session.closed];
}

describe('C37: the right to a subscription ends', () => {
  it('by the command line, in another process: sockets and event streams are closed within 10 s, and no others', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'heirloom-elsewhere-'));
    onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
    const service = clientOf((await startProcess(dataDir)).url);
    const signUp = async (username: string): Promise<string> =>
      (
        await service.ok(
          'mutation ($username: String!) { register(input: { username: $username, password: "correct horse" }) { token } }',
          { username },
        )
      ).register.token;
    const [anna, bert, carl] = [await signUp('anna'), await signUp('bert'), await signUp('carl')];
    const streams = await Promise.all([anna, bert].map((token) => streamOf(service, token)));
    expect(streams.map(({ status }) => status)).toEqual([200, 200]);
    const [disabled = [], removed = []] = await Promise.all([anna, bert].map((token) => socketOf(service, token)));
    const untouched = await openSession(service.url, carl);

    const [disable, remove] = await Promise.all([
      runCli(['user', 'disable', 'anna'], { cwd: dataDir, dataDir }),
      runCli(['user', 'remove', 'bert'], { cwd: dataDir, dataDir }),
    ]);
    expect([disable.code, remove.code]).toEqual([0, 0]);
    const began = performance.now();
    expect(await Promise.all([...disabled, ...removed])).toEqual([4403, 4403]);
    await Promise.all(streams.map(({ ended }) => ended));
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(untouched.socket.readyState).toBe(untouched.socket.OPEN);
    untouched.socket.terminate();
  });

  it('with the token: an event stream ends as a socket does', async () => {
    const app = await appForTest({ JWT_EXPIRES_IN: '2s' });
    const token = await app.guest();
    const began = performance.now();
    const [{ status, ended }, [closed]] = await Promise.all([streamOf(app, token), socketOf(app, token)]);
    expect(status).toBe(200);
    await ended;
    expect(await closed).toBe(4403);
    expect(performance.now() - began).toBeLessThan(4000);
  });

  it('at one query for all that is open, none while nothing is, and a database that fails ends nobody', async () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const asked: (readonly string[])[] = [];
    let answer: () => Promise<string[]> = async () => [];
    const watch = createSessionWatch({
      onSessionEnded: () => () => {},
      log: createLog('silent'),
      endedSessions(ids) {
        asked.push(ids);
        return answer();
      },
    });
    const over: string[] = [];
    const open = (sessionId: string) =>
      watch.whenOver(
        {
          actor: { kind: 'user', userId: sessionId, sessionId, role: 'USER', guest: true, address: '::1' },
          expiresAt: null,
        },
        () => over.push(sessionId),
      );
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toEqual([]);
    const stops = Array.from({ length: 100 }, (_, index) => open(`s${index % 3}`));
    answer = () => Promise.reject(new Error('locked'));
    await vi.advanceTimersByTimeAsync(5000);
    answer = async () => ['s1'];
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toEqual([
      ['s0', 's1', 's2'],
      ['s0', 's1', 's2'],
    ]);
    expect(over).toEqual(Array.from({ length: 33 }, () => 's1'));
    for (const stop of stops) stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(2);
    watch.close();
  });
});
