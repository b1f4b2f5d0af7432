import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lockDataDir } from '../src/db/lock.ts';
import { runCli, startCli, startService, temporaryFolder, type TestService } from './helpers/cli.ts';
import { jpeg, picture, storedFiles } from './helpers/service.ts';

const stack = new AsyncDisposableStack();
afterAll(() => stack.disposeAsync());
const folder = async (): Promise<string> => stack.use(await temporaryFolder()).path;

/** Everything a data folder may still hold after a guest has gone. */
const BARE = /^(secret|heirloom\.sqlite(-wal|-shm)?|lock\.sqlite|uploads|processed|tmp)$/;

async function expectBare(dataDir: string): Promise<void> {
  expect(await storedFiles(dataDir)).toEqual([]);
  expect((await readdir(dataDir)).filter((name) => !BARE.test(name))).toEqual([]);
}

describe('restore, with a service of its own', () => {
  it('writes the result and a comparison, says each stage in a line, and leaves nothing of the guest', async () => {
    const cwd = await folder();
    // 160 × 120 as stored, 120 × 160 as displayed.
    await writeFile(join(cwd, 'scan.jpg'), await picture(1).jpeg().withMetadata({ orientation: 6 }).toBuffer());
    const { code, stdout, stderr } = await runCli(
      ['restore', 'scan.jpg', '-o', 'out.png', '--compare', '--upscale', '2'],
      { cwd },
    );
    expect(stderr).toMatch(/^scan\.jpg: uploading\nscan\.jpg: /);
    expect(stderr).toMatch(/\nscan\.jpg: enlarging \(\d+ %\)\n/);
    expect(stderr).not.toContain('\u001b');
    expect(stdout).toMatch(/^scan\.jpg -> out\.png \(240 × 320, PNG, .+ kB, .+ s\)\nscan\.jpg -> out-compare\.jpg /);
    expect(code).toBe(0);
    expect(await sharp(join(cwd, 'out.png')).metadata()).toMatchObject({ format: 'png', width: 240, height: 320 });
    expect(await sharp(join(cwd, 'out-compare.jpg')).metadata()).toMatchObject({
      format: 'jpeg',
      width: 240 + 4 + 240,
      height: 320,
    });
    expect((await readdir(cwd)).toSorted()).toEqual(['data', 'out-compare.jpg', 'out.png', 'scan.jpg']);
    await expectBare(join(cwd, 'data'));
  });

  it('goes on after a photo that is none, and ends with 3', async () => {
    const cwd = await folder();
    await mkdir(join(cwd, 'album'));
    await writeFile(join(cwd, 'album', 'a.jpg'), await jpeg(2));
    await writeFile(join(cwd, 'album', 'b.jpg'), 'no photo at all');
    await writeFile(join(cwd, 'album', 'c.png'), await picture(3).png().toBuffer());
    const { code, stdout, stderr } = await runCli(['restore', 'album/*', '-o', 'done/'], { cwd });
    expect(stderr).toContain('album/b.jpg: UNSUPPORTED_IMAGE: ');
    expect(stderr).toContain('2 of 3 photos restored.\n');
    expect(stdout.match(/ -> /g)).toHaveLength(2);
    expect((await readdir(join(cwd, 'done'))).toSorted()).toEqual(['a-restored.jpg', 'c-restored.png']);
    expect(code).toBe(3);
    await expectBare(join(cwd, 'data'));
  });

  it('takes a folder for the photos in it, but not for its own results there', async () => {
    const cwd = await folder();
    await mkdir(join(cwd, 'album'));
    await writeFile(join(cwd, 'album', 'IMG 1.JPG'), await jpeg(2));
    await writeFile(join(cwd, 'album', 'notes.txt'), 'no photo');
    const first = await runCli(['restore', 'album', '--compare'], { cwd });
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('album/IMG 1.JPG -> album/IMG 1-restored'),
    });
    await writeFile(join(cwd, 'album', 'IMG 1-restored.mask.png'), 'as --save-mask calls it');
    const second = await runCli(['restore', 'album', '--compare', '--force'], { cwd });
    expect(second).toMatchObject({ code: 0 });
    expect((await readdir(join(cwd, 'album'))).toSorted()).toEqual([
      'IMG 1-restored-compare.jpg',
      'IMG 1-restored.jpg',
      'IMG 1-restored.mask.png',
      'IMG 1.JPG',
      'notes.txt',
    ]);
  });

  it('restores the sample photo when none is named', async () => {
    const cwd = await folder();
    const { code, stdout, stderr } = await runCli(['restore'], { cwd });
    expect(stderr).toContain('the sample photo that comes with Heirloom');
    expect(stdout).toContain(' -> astronaut-restored.jpg (512 × 512, JPEG, ');
    expect(code).toBe(0);
    expect(await sharp(join(cwd, 'astronaut-restored.jpg')).metadata()).toMatchObject({ width: 512, height: 512 });
  });

  it('waits for another command that has the data folder', async () => {
    const cwd = await folder();
    const dataDir = join(cwd, 'data');
    await writeFile(join(cwd, 'photo.jpg'), await jpeg(4));
    const lock = await lockDataDir(dataDir);
    if (!lock.held) throw new Error('the folder is new');
    const running = startCli(['restore', 'photo.jpg'], { cwd });
    await running.said(/Waiting for another command to finish with .*data …\n/);
    await lock.release();
    expect(await running.finished).toMatchObject({ code: 0, stdout: expect.stringContaining('photo-restored.jpg') });
  });

  it('is not used by another command, which would lose it half-way', async () => {
    const cwd = await folder();
    await writeFile(join(cwd, 'one.jpg'), await jpeg(5, 1000, 750));
    await writeFile(join(cwd, 'two.jpg'), await jpeg(6));
    const first = startCli(['restore', 'one.jpg', '--upscale', '2'], { cwd });
    await first.said(/uploading/);
    const second = await runCli(['restore', 'two.jpg'], { cwd });
    expect(second).toMatchObject({ code: 0, stderr: expect.stringContaining('Waiting for another command') });
    expect(await first.finished).toMatchObject({ code: 0 });
  });

  it('stops on Ctrl-C and leaves neither a result nor anything of the guest', async () => {
    const cwd = await folder();
    await writeFile(join(cwd, 'big.jpg'), await jpeg(7, 2400, 2400));
    const running = startCli(['restore', 'big.jpg', '--upscale', '4'], { cwd });
    await running.said(/looking at the photo/);
    running.child.kill('SIGINT');
    expect(await running.finished).toMatchObject({
      code: 130,
      stdout: '',
      stderr: expect.stringMatching(/Cancelled\.\n$/),
    });
    expect((await readdir(cwd)).toSorted()).toEqual(['big.jpg', 'data']);
    await expectBare(join(cwd, 'data'));
  });

  it('says what production lacks, and ends with 2', async () => {
    const cwd = await folder();
    const { code, stderr } = await runCli(['restore'], { cwd, env: { NODE_ENV: 'production' } });
    expect(stderr).toMatch(/JWT_SECRET is not set/);
    expect(code).toBe(2);
  });

  it('works in production that has its secret, whatever PUBLIC_URL and the limits are', async () => {
    const cwd = await folder();
    await writeFile(join(cwd, 'photo.jpg'), await jpeg(8));
    const env = {
      NODE_ENV: 'production',
      JWT_SECRET: 'a secret of more than thirty-two characters',
      PUBLIC_URL: 'https://photos.example.org/heirloom',
      ALLOW_GUESTS: 'false',
    };
    expect(await runCli(['restore', 'photo.jpg'], { cwd, env })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('photo.jpg -> photo-restored.jpg'),
    });
  });
});

describe('restore, with a service that runs', () => {
  let cwd: string;
  let service: TestService;
  let token: string;
  const restore = (...args: string[]) => runCli(['restore', ...args], { cwd });
  const history = async (): Promise<{ status: string; modelId: string }[]> => {
    const { data } = await service.ask(
      '{ viewer { history(first: 50) { edges { node { status modelId } } } } }',
      token,
    );
    return data.viewer.history.edges.map(({ node }: { node: unknown }) => node);
  };

  beforeAll(async () => {
    cwd = await folder();
    await writeFile(join(cwd, 'photo.jpg'), await jpeg(10));
    await writeFile(join(cwd, 'huge.jpg'), Buffer.alloc(20.1e6));
    service = stack.use(await startService({ cwd, env: { PUBLIC_URL: 'http://photos.example.invalid/prefix' } }));
    token = (await service.ask('mutation { startGuestSession { token } }')).data.startGuestSession.token;
  });

  it('uses by itself the service that has the data folder, and leaves nothing there', async () => {
    const { code, stdout, stderr } = await restore('photo.jpg', '-o', 'held.webp');
    expect(stderr).toContain(`Using the service at ${service.url}.\n`);
    expect(stdout).toContain('photo.jpg -> held.webp (160 × 120, WEBP, ');
    expect(code).toBe(0);
    expect(await storedFiles(join(cwd, 'data'))).toEqual([]);
  });

  it('repairs what a mask marks, and says of a mask that is none why not', async () => {
    const shapes = picture(5, 64, 48);
    const line = {
      input: { create: { width: 3, height: 48, channels: 3 as const, background: '#ffffff' } },
      left: 30,
      top: 0,
    };
    await writeFile(
      join(cwd, 'scan.png'),
      await sharp(await shapes.clone().png().toBuffer())
        .composite([line])
        .png()
        .toBuffer(),
    );
    const black = sharp({ create: { width: 64, height: 48, channels: 3, background: '#000000' } });
    await writeFile(join(cwd, 'mask.png'), await black.clone().composite([line]).png().toBuffer());
    await writeFile(join(cwd, 'black.png'), await black.png().toBuffer());
    const command = ['scan.png', '--model', 'repair', '--quality', 'best', '--mask'];
    const none = await restore(...command, 'black.png');
    expect(none.stderr).toContain('scan.png: BAD_USER_INPUT: The mask marks nothing.');
    expect(none.code).toBe(3);
    const missing = await restore(...command, 'nowhere.png');
    expect(missing.stderr).toContain('scan.png: The mask nowhere.png: ');
    const done = await restore(...command, 'mask.png', '--save-mask');
    expect(done.stdout).toMatch(/^scan\.png -> scan-restored\.png \(64 × 48, PNG, /);
    expect(done.stdout).toMatch(/^scan\.png -> scan-restored\.mask\.png \(what was repaired\)$/m);
    const { data: repaired, info } = await sharp(join(cwd, 'scan-restored.mask.png'))
      .toColourspace('b-w')
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([64, 48]);
    expect([repaired[24 * 64 + 31], repaired[24 * 64 + 5]]).toEqual([255, 0]);
    const grey = async (name: string) => sharp(join(cwd, name)).removeAlpha().toColourspace('b-w').raw().toBuffer();
    const result = await grey('scan-restored.png');
    expect(Math.max(...(await grey('scan.png')))).toBe(255);
    expect(Math.max(...result)).toBeLessThan(200);
  });

  it('writes no mask where nothing was repaired, and over none that is there', async () => {
    const none = await restore('photo.jpg', '--repair', 'off', '--save-mask', '-o', 'whole.jpg');
    expect(none.stdout).toMatch(/^photo\.jpg -> whole\.jpg .*\n$/);
    expect(none.stderr).toContain('photo.jpg: nothing was repaired, so there is no mask.\n');
    expect(none.code).toBe(0);
    expect((await readdir(cwd)).filter((name) => name.startsWith('whole'))).toEqual(['whole.jpg']);
    await writeFile(join(cwd, 'kept.mask.png'), 'mine');
    const refused = await restore('photo.jpg', '--save-mask', '-o', 'kept.jpg');
    expect(refused.stderr).toContain('kept.mask.png exists already; --force writes over it.');
    expect(refused.code).toBe(1);
    expect(await readFile(join(cwd, 'kept.mask.png'), 'utf8')).toBe('mine');
  });

  it('lists the models', async () => {
    const { code, stdout } = await restore('--list-models');
    expect(stdout).toMatch(/^auto \(default\): Automatic restoration, restore\n {4}\S/m);
    expect(stdout).toMatch(/^upscale-2x: /m);
    expect(code).toBe(0);
  });

  it.each([
    ['an unknown model', ['photo.jpg', '--model', 'magic'], 3, /There is no model magic\. There are: auto, repair/],
    [
      'an option the model does not take',
      ['photo.jpg', '--model', 'tone', '--upscale', '2'],
      3,
      /photo\.jpg: BAD_USER_INPUT: /,
    ],
    ['a photo that is missing', ['gone.jpg'], 1, /^gone\.jpg: there is no such file or folder\.$/m],
    ['a folder without photos', ['data'], 2, /^There is no photo in data\.$/m],
    ['a photo of too many bytes', ['huge.jpg'], 3, /^huge\.jpg: PAYLOAD_TOO_LARGE: The file has 20\.1 MB; /m],
    ['a pattern without a match', ['*.tif'], 2, /No file matches \*\.tif\./],
    ['an output folder that is missing', ['photo.jpg', '-o', 'no/where.jpg'], 1, /no\/where\.jpg cannot be written/],
    ['an output folder that is a file', ['photo.jpg', '-o', 'photo.jpg/'], 1, /cannot be used as a folder/],
    ['an output that is the photo', ['photo.jpg', '-o', './photo.jpg', '--force'], 1, /written over the photo itself/],
    ['a server that is not there', ['photo.jpg', '--server', 'http://127.0.0.1:1'], 1, /cannot be reached/],
    ['a bad token', ['photo.jpg', '--token', 'nonsense'], 3, /^(?!.*uploading)/s],
  ])('says so and ends for %s', async (_what, args, code, message) => {
    const finished = await restore(...args);
    expect(finished.stderr).toMatch(message);
    expect(finished).toMatchObject({ code, stdout: '' });
    expect(finished.stderr).not.toMatch(/\n {4}at /);
  });

  it('keeps what exists unless it is forced', async () => {
    await writeFile(join(cwd, 'there.jpg'), 'mine');
    const refused = await restore('photo.jpg', '-o', 'there.jpg');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('there.jpg exists already; --force') });
    expect(refused.stderr).not.toContain('uploading');
    expect(await readFile(join(cwd, 'there.jpg'), 'utf8')).toBe('mine');
    expect(await restore('photo.jpg', '-o', 'there.jpg', '--force')).toMatchObject({ code: 0 });
    expect(await sharp(join(cwd, 'there.jpg')).metadata()).toMatchObject({ format: 'jpeg', width: 160 });
  });

  it('cancels on the service when Ctrl-C is pressed, exits 130 and writes nothing', async () => {
    await writeFile(join(cwd, 'big.jpg'), await jpeg(11, 2400, 2400));
    const running = startCli(['restore', 'big.jpg', '--upscale', '4', '--token', token], { cwd });
    await running.said(/looking at the photo/);
    running.child.kill('SIGINT');
    expect(await running.finished).toMatchObject({ code: 130, stdout: '' });
    expect((await readdir(cwd)).filter((name) => name.includes('big'))).toEqual(['big.jpg']);
    expect((await history())[0]).toMatchObject({ status: 'CANCELLED' });
  });

  it('hands on --parameter, read as JSON or else as a text; the service checks it as that of any other client', async () => {
    const weight = { type: 'number', default: 0.5, minimum: 0, maximum: 1, description: 'How much.' };
    const mode = { type: 'string', enum: ['soft', 'hard'] };
    const parameters = { weight, passes: { type: 'integer' }, mode, word: { type: 'string' } };
    const tunable = {
      id: 'tunable',
      name: 'Tunable',
      provider: 'builtin',
      model: 'tone',
      category: 'tone',
      parameters,
    };
    await using remote = await startService({
      cwd: await folder(),
      env: { MODELS_CONFIG: JSON.stringify(tunable) },
    });
    const theirs = (await remote.ask('mutation { startGuestSession { token } }')).data.startGuestSession
      .token as string;
    const args = ['--server', remote.url, '--token', theirs, '--model', 'tunable', '--parameter'];
    const { stdout } = await restore('--list-models', ...args.slice(0, 4));
    expect(stdout).toContain('    --parameter weight=VALUE (number, from 0, to 1, default 0.5): How much.\n');
    expect(stdout).toContain('    --parameter mode=VALUE (soft|hard)\n');

    const refused: [string, string][] = [
      ['weight=1.5', 'BAD_USER_INPUT: weight must be between 0 and 1.'],
      ['word=7', 'BAD_USER_INPUT: word must be of type string.'],
      ['gamma=1', 'BAD_USER_INPUT: The model tunable has no parameter gamma.'],
    ];
    for (const [parameter, message] of refused) {
      const { code, stderr } = await restore('photo.jpg', ...args, parameter);
      expect([code, stderr]).toEqual([3, expect.stringContaining(message)]);
    }
    const tuned = ['weight=0.7', '--parameter=passes=2', '--parameter', 'mode=soft', '--parameter', 'word="7"'];
    expect(await restore('photo.jpg', '-o', 'soft.jpg', ...args, ...tuned)).toMatchObject({ code: 0 });
    const { data } = await remote.ask('{ viewer { history { edges { node { options { parameters } } } } } }', theirs);
    expect(data.viewer.history.edges.map(({ node }: any) => node.options.parameters)).toEqual([
      { weight: 0.7, passes: 2, mode: 'soft', word: '7' },
    ]);
  });

  it('signs in with --token at --server, where the photos stay', async () => {
    const other = await folder();
    await using remote = await startService({ cwd: other });
    const session = await remote.ask('mutation { startGuestSession { token } }');
    const theirs = session.data.startGuestSession.token as string;
    const args = ['photo.jpg', '-o', 'remote.jpg', '--server', `${remote.url}/`, '--token', theirs, '--model', 'tone'];
    const { code, stderr, stdout } = await restore(...args);
    expect(stderr).not.toContain('Using the service');
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('-> remote.jpg') });
    const { data } = await remote.ask('{ viewer { history { edges { node { status modelId } } } } }', theirs);
    expect(data.viewer.history.edges).toEqual([{ node: { status: 'SUCCEEDED', modelId: 'tone' } }]);
  });
});
