import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { appForTest } from './helpers/app.ts';

const run = promisify(execFile);
const hasCurl = spawnSync('curl', ['--version']).status === 0;

if (!hasCurl) process.stderr.write('SKIPPED tests/clients-curl.test.ts: it needs the program curl.\n');

it.runIf(hasCurl)(
  'by curl, as in the README: guest, restore, follow, history, file (needs the program curl)',
  async () => {
    const app = await appForTest();
    const folder = await mkdtemp(join(tmpdir(), 'heirloom-curl-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await symlink(join(process.cwd(), 'samples'), join(folder, 'samples'));

    const script = join(process.cwd(), 'tests/readme-snippets/curl.sh');
    const { stdout, stderr } = await run('sh', ['-eu', script], {
      cwd: folder,
      env: { PATH: process.env['PATH'], API: `${app.url}/graphql` },
    });
    expect(stderr).toBe('');

    const events = [...stdout.matchAll(/^data: (\{.*\})$/gm)].map(
      ([, json]) => JSON.parse(json!).data.restorationUpdated,
    );
    expect(events.length).toBeGreaterThan(2);
    expect(events.at(-1)).toEqual({ status: 'SUCCEEDED', stage: null, percent: 100 });
    const history = JSON.parse(/^\{.*"viewer".*\}$/m.exec(stdout)?.[0] ?? 'null');
    expect(history.data.viewer.history.edges).toMatchObject([
      { node: { status: 'SUCCEEDED', photo: { originalFilename: 'astronaut.jpg' } } },
    ]);
    const [sample, restored] = await Promise.all([
      readFile(join(folder, 'samples/astronaut.jpg')),
      readFile(join(folder, 'restored.jpg')),
    ]);
    expect(restored.subarray(0, 3).toString('hex')).toBe('ffd8ff');
    expect(restored.equals(sample)).toBe(false);
  },
);
