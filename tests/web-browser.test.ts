import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startApp, type TestApp } from './helpers/app.ts';
import { modelProcesses, putModel } from './helpers/onnx-models.ts';
import { until } from './helpers/raw-http.ts';
import { findChromium, startBrowser, type Browser, type Tab } from './helpers/browser.ts';

const SAMPLE = join(import.meta.dirname, '..', 'samples', 'astronaut.jpg');
const chromium = findChromium();
const reason = chromium === null ? ' — SKIPPED: there is no chromium on this machine' : '';

const CARD = `document.querySelector('.card')`;
const READY = `document.querySelector('#model:not(:disabled)')?.value`;
const said = (text: string) => `${CARD}?.innerText.includes(${JSON.stringify(text)})`;
const state = (name: string) => `${CARD}?.dataset.state === '${name}'`;

describe.skipIf(chromium === null)(`in Chromium${reason}`, () => {
  let app: TestApp;
  let browser: Browser;
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'heirloom-web-'));
    [app, browser] = await Promise.all([startApp(), startBrowser(chromium ?? '')]);
  });
  afterAll(async () => {
    await browser?.close();
    await app?.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function openPage(url = `${app.url}/`): Promise<Tab> {
    const tab = await browser.tab();
    onTestFinished(() => tab.close());
    await tab.open(url);
    return tab;
  }

  async function openReady(url?: string): Promise<Tab> {
    const tab = await openPage(url);
    await tab.until(READY);
    return tab;
  }

  /** A photo that keeps the engine busy for some seconds. */
  async function largePhoto(): Promise<string> {
    const path = join(dir, 'large.jpg');
    await sharp(SAMPLE).resize(2200).jpeg().toFile(path);
    return path;
  }

  function expectOnlyOwn(tab: Tab, url = app.url): void {
    const own = new URL(url).host;
    expect(tab.requests.filter((address) => new URL(address).host !== own)).toEqual([]);
  }

  it('a chosen photo is restored, compared by keys and pointer, offered for download, and in the history', async () => {
    const tab = await openReady();
    const name = '<img src=x onerror=alert(1)> & Co.jpg';
    const path = join(dir, name);
    await sharp(SAMPLE).toFile(path);
    await tab.choose('#files', path);
    await tab.until(state('done'));
    await tab.until(`[...document.querySelectorAll('.compare img')].every((image) => image.naturalWidth > 0)`);

    expect(await tab.evaluate(`document.querySelector('.card h3').textContent`)).toBe(name);
    expect(await tab.evaluate(`document.querySelectorAll('.report li.ran').length`)).toBeGreaterThan(0);

    await tab.evaluate(`document.querySelector('.compare input').focus()`);
    await tab.press('ArrowRight', 39);
    expect(await tab.evaluate(`document.querySelector('.compare').style.getPropertyValue('--split')`)).toBe('51%');
    const label = `document.querySelector('.compare input').getAttribute('aria-valuetext')`;
    expect(await tab.evaluate(label)).toBe('51 % before, 49 % after');
    await tab.evaluate(`document.querySelector('.compare').scrollIntoView({ block: 'center' })`);
    await tab.clickOn('.compare .after-tag');
    const split = await tab.evaluate(`Number(document.querySelector('.compare input').value)`);
    expect(split).toBeGreaterThan(80);

    const download = await tab.evaluate(`document.querySelector('.card a.primary').href`);
    const file = await fetch(download);
    expect(file.status).toBe(200);
    expect(file.headers.get('content-disposition')).toMatch(/^attachment/);
    expect((await sharp(Buffer.from(await file.arrayBuffer())).metadata()).width).toBe(512);

    await tab.until(`document.querySelector('#history img')?.naturalWidth > 0`);
    expect(await tab.evaluate(`document.querySelector('#history-count').textContent`)).toBe('One restoration');
    expect(tab.errors).toEqual([]);
    expectOnlyOwn(tab);

    await tab.open(`${app.url}/`);
    await tab.until(`document.querySelector('#history .entry')`);
    await tab.evaluate(`document.querySelector('#history .entry').click()`);
    await tab.until(state('done'));

    await tab.click('Delete');
    await tab.click('Delete for good?');
    await tab.until(`document.querySelector('section.history').hidden && !${CARD}`);
  });

  it('several photos at once are restored with the chosen model and size', async () => {
    const tab = await openReady();
    await tab.evaluate(
      `(() => { const model = document.querySelector('#model'); model.value = 'upscale-2x'; model.dispatchEvent(new Event('change')); })()`,
    );
    expect(await tab.evaluate(`document.querySelector('#upscale').hidden`)).toBe(true);
    const paths = ['a.png', 'b.png', 'c.png', 'd.png', 'e.png'].map((file) => join(dir, file));
    for (const [index, path] of paths.entries())
      await sharp(SAMPLE)
        .resize(60 + index)
        .toFile(path);
    await tab.choose('#files', ...paths);
    await tab.until(`document.querySelectorAll('.card[data-state=done]').length === 5`);
    const sizes = await tab.evaluate(
      `[...document.querySelectorAll('.facts div:nth-child(2) dd')].map((one) => one.textContent.split(',')[0]).toSorted()`,
    );
    expect(sizes).toEqual([120, 122, 124, 126, 128].map((side) => `${side} × ${side}`));
    expect(tab.errors).toEqual([]);
  });

  it('a file that is no photo gets the sentence of the service', async () => {
    const tab = await openReady();
    const path = join(dir, 'letter.jpg');
    await writeFile(path, 'Dear grandmother, this is not a photo.');
    await tab.choose('#files', path);
    await tab.until(said('This is not a picture that can be read here.'));
    expect(await tab.evaluate(state('failed'))).toBe(true);
    expect(tab.errors.filter((error) => !/status of 400/.test(error))).toEqual([]);
  });

  it('a running restoration is found again after a reload, and can be cancelled and started anew', async () => {
    const tab = await openReady();
    await tab.evaluate(`document.querySelectorAll('#upscale input')[2].click()`);
    await tab.choose('#files', await largePhoto());
    await tab.until(`document.querySelector('.numbers')?.textContent.includes('%') && ${said('Cancel')}`);
    await tab.until(`document.querySelector('#history [data-status=RUNNING], #history [data-status=QUEUED]')`);
    await tab.open(`${app.url}/`);
    await tab.until(`${state('busy')} && ${said('×4')}`);
    await tab.click('Cancel');
    await tab.until(said('Cancelled.'));
    await tab.until(`document.querySelector('#history [data-status=CANCELLED]')`);
    await tab.click('Start again');
    await tab.until(state('busy'));
    await tab.click('Cancel');
    await tab.until(said('Cancelled.'));
    expect(tab.errors).toEqual([]);
  });

  it('a restart of the service in the middle is lived through: the page comes back and shows the result', async () => {
    const dataDir = join(dir, 'restart');
    const first = await startApp({ DATA_DIR: dataDir });
    const tab = await openReady(`${first.url}/`);
    await tab.choose('#files', await largePhoto());
    await tab.until(`document.querySelector('.numbers')?.textContent.includes('%')`);
    await first.close();
    const second = await startApp({ DATA_DIR: dataDir, PORT: new URL(first.url).port });
    try {
      await tab.until(state('done'), 30_000);
      expect(tab.requests.filter((address) => address.startsWith('ws:')).length).toBeGreaterThan(1);
      expect(await tab.evaluate(`document.querySelector('#notice').hidden`)).toBe(true);
    } finally {
      await second.close();
    }
  }, 60_000);

  it('the history shows a dozen and, when asked, the rest', async () => {
    const tab = await openReady();
    const token = await tab.evaluate(`JSON.parse(localStorage.getItem('heirloom.session')).token`);
    const bytes = await sharp(SAMPLE).resize(40).toBuffer();
    const upload = `mutation ($file: Upload!) { uploadPhoto(input: { file: $file }) { photo { id } } }`;
    const { data } = await app.upload(upload, { file: { bytes } }, {}, token);
    const restore = `mutation ($photoId: ID!) { restorePhoto(input: { photoId: $photoId }) { restoration { id } } }`;
    for (let count = 0; count < 14; count++) {
      const { restorePhoto } = await app.ok(restore, { photoId: data.uploadPhoto.photo.id }, token);
      await app.ended(restorePhoto.restoration.id, token);
    }
    await tab.open(`${app.url}/`);
    const entries = `document.querySelectorAll('#history .entry').length`;
    await tab.until(`${entries} === 12`);
    expect(await tab.evaluate(`document.querySelector('#history-count').textContent`)).toBe('14 restorations');
    await tab.click('Show more');
    await tab.until(`${entries} === 14 && document.querySelector('#more').hidden`);
    const focused = `document.activeElement.closest('li') === document.querySelectorAll('#history > li')[12]`;
    expect(await tab.until(focused)).toBe(true);

    await tab.evaluate(`document.querySelector('#history > li .quiet').click()`);
    await tab.click('For good?');
    await tab.until(`${entries} === 13`);
    expect(tab.errors).toEqual([]);
  });

  it('a session that has ended is replaced by a new one without a word', async () => {
    const tab = await openReady();
    const day = 86_400_000;
    const dead = { token: 'dead', expiresAt: Date.now() + day, renewAt: Date.now() + day, name: null };
    await tab.evaluate(`localStorage.setItem('heirloom.session', ${JSON.stringify(JSON.stringify(dead))})`);
    await tab.open(`${app.url}/`);
    await tab.until(`${READY} && JSON.parse(localStorage.getItem('heirloom.session')).token !== 'dead'`);
    expect(await tab.evaluate(`document.querySelector('#notice').hidden`)).toBe(true);
  });

  it('a mask of one’s own says what to repair, for one photo, and is refused in the words of the service', async () => {
    const [photo = '', mask = '', small = ''] = ['marked.png', 'mask.png', 'small.png'].map((file) => join(dir, file));
    const line = (height: number) => ({
      input: { create: { width: 4, height, channels: 3 as const, background: '#fff' } },
      left: 40,
      top: 0,
    });
    const black = (width: number, height: number) =>
      sharp({ create: { width, height, channels: 3, background: '#000' } }).composite([line(height)]);
    await sharp(SAMPLE)
      .resize(200, 200)
      .composite([line(200)])
      .toFile(photo);
    await black(200, 200).toFile(mask);
    await black(100, 100).toFile(small);

    const tab = await openReady();
    const model = (id: string) =>
      tab.evaluate(
        `(() => { const model = document.querySelector('#model'); model.value = '${id}'; model.dispatchEvent(new Event('change')); })()`,
      );
    const hidden = `document.querySelector('#mask').hidden`;
    const chosen = `document.querySelector('#mask-file').files.length`;
    await model('tone');
    expect(await tab.evaluate(hidden)).toBe(true);
    await model('repair');
    expect(await tab.evaluate(hidden)).toBe(false);

    await tab.choose('#mask-file', mask);
    await tab.choose('#files', photo, photo);
    await tab.until(`document.querySelector('#notice').textContent.startsWith('A mask is for one photo')`);
    expect(await tab.evaluate(CARD)).toBeNull();
    await tab.click('Leave it out');
    expect(await tab.evaluate(chosen)).toBe(0);

    await tab.choose('#mask-file', mask);
    await tab.choose('#files', photo);
    await tab.until(state('done'));
    expect(await tab.evaluate(chosen)).toBe(0);
    const facts = await tab.evaluate(`document.querySelector('.card .facts').innerText`);
    expect(facts).toMatch(/Repaired\s+\d+\.\d %, see where/);
    const link = await tab.evaluate(`document.querySelector('.card a[download]').href`);
    const result = sharp(Buffer.from(await (await fetch(link)).arrayBuffer()));
    const { channels } = await result.extract({ left: 40, top: 0, width: 4, height: 200 }).stats();
    // A white line no more.
    expect(Math.min(...channels.map(({ mean }) => mean))).toBeLessThan(220);

    await tab.choose('#mask-file', small);
    await tab.click('Restore again');
    await tab.until(said('The mask is 100 × 100 pixels, the photo 200 × 200 as displayed. They must be the same.'));
    expect(await tab.evaluate(`document.querySelectorAll('.card').length`)).toBe(2);
    expect(tab.errors.filter((error) => !/status of 400/.test(error))).toEqual([]);
  });

  it('says what the chosen model has to do without', async () => {
    const tab = await openReady();
    const { models } = await app.ok('{ models { id status { note } } }');
    const note = (id: string) => models.find((model: any) => model.id === id).status.note ?? '';
    const shown = `document.querySelector('#model-note')`;
    await tab.until(`${shown}.textContent === ${JSON.stringify(note('auto'))}`);
    expect(await tab.evaluate(`${shown}.hidden`)).toBe(note('auto') === '');
    await tab.evaluate(
      `(() => { const model = document.querySelector('#model'); model.value = 'tone'; model.dispatchEvent(new Event('change')); })()`,
    );
    expect(await tab.evaluate(`${shown}.hidden && ${shown}.textContent`)).toBe('');
  });

  it('does not wait for a model that is still being examined, which joins the list later', async () => {
    const models = join(dir, 'models');
    await putModel(models, 'denoise');
    const slow = await startApp({ MODELS_DIR: models });
    try {
      const tab = await openPage(`${slow.url}/`);
      let halted = 0;
      await until(async () => ([halted = 0] = await modelProcesses()).length > 0, 20_000);
      process.kill(halted, 'SIGSTOP');
      await tab.until(READY);
      const offered = `Boolean(document.querySelector('#model option[value="onnx/denoise"]'))`;
      expect(await tab.evaluate(offered)).toBe(false);
      process.kill(halted, 'SIGCONT');
      await tab.until(offered);
      expect(await tab.evaluate(`document.querySelector('#model').value`)).toBe('auto');
    } finally {
      await slow.close();
    }
  });

  it('where guests are not let in, an account signs in and out', async () => {
    const closed = await startApp({
      ALLOW_GUESTS: 'false',
      ADMIN_USERNAME: 'ada',
      ADMIN_PASSWORD: 'correct horse battery',
    });
    try {
      const tab = await openPage(`${closed.url}/`);
      await tab.until(`!document.querySelector('#signin').hidden && document.querySelector('#order').hidden`);
      const fill = (password: string) =>
        tab.evaluate(
          `(() => { const { username, password } = document.querySelector('#signin').elements; username.value = 'ada'; password.value = ${JSON.stringify(password)}; })()`,
        );
      await fill('wrong horse battery');
      await tab.click('Sign in');
      await tab.until(`document.querySelector('#notice').textContent.length > 10`);
      await fill('correct horse battery');
      await tab.click('Sign in');
      await tab.until(`${READY} && document.querySelector('#signin').hidden`);
      expect(await tab.evaluate(`document.querySelector('#notice').hidden`)).toBe(true);
      expect(await tab.evaluate(`document.querySelector('#account').innerText`)).toContain('Signed in as ada');
      await tab.click('Sign out');
      await tab.until(`document.querySelector('#signin') && !document.querySelector('#signin').hidden`);
    } finally {
      await closed.close();
    }
  });

  it('GraphiQL needs nothing from outside, runs its tabs, and follows a restoration over a signed-in WebSocket', async () => {
    const token = await app.guest();
    const restore = `mutation ($file: Upload!) { restorePhoto(input: { file: $file }) { restoration { id } } }`;
    const bytes = await sharp(SAMPLE).toBuffer();
    const { data } = await app.upload(restore, { file: { bytes } }, {}, token);

    const tab = await openPage(`${app.url}/graphql`);
    await tab.until(`document.querySelectorAll('.graphiql-tab').length === 5`);
    await tab.until(`document.querySelector('.graphiql-query-editor .view-line')`);
    const run = () => tab.evaluate(`document.querySelector('.graphiql-execute-button').click()`);
    const answers = (text: string) =>
      tab.until(
        `document.querySelector('.graphiql-response')?.innerText.replaceAll('\\u00a0', ' ').includes(${JSON.stringify(text)})`,
      );
    const select = async (index: number, operation: string) => {
      await tab.evaluate(`document.querySelectorAll('.graphiql-tab-button')[${index}].click()`);
      await tab.until(`document.querySelector('.graphiql-query-editor').innerText.includes('${operation}')`);
      // GraphiQL reads the document of a tab a moment after it has shown it.
      await new Promise((resolve) => setTimeout(resolve, 500));
    };
    await run();
    await answers('"startGuestSession"');
    await select(1, 'ModelsAndLimits');
    await run();
    await answers('"models"');

    await select(3, 'WatchRestoration');
    const editor = '.graphiql-editor-tool .graphiql-editor:not(.hidden)';
    const fill = async (shown: string, value: object) => {
      await tab.until(`document.querySelector('${editor} .view-lines')?.textContent.includes('${shown}')`);
      await tab.until(
        `(() => { const field = document.querySelector('${editor} :is(.inputarea, .native-edit-context)'); field.focus(); return field === document.activeElement; })()`,
      );
      await tab.paste(JSON.stringify(value));
    };
    await fill('restoration', { id: data.restorePhoto.restoration.id });
    await tab.click('Headers');
    await fill('authorization', { authorization: `Bearer ${token}` });
    await tab.until(`(localStorage.getItem('graphiql:headers') ?? '').includes('Bearer e')`);
    await run();
    await answers('"SUCCEEDED"');

    expect(tab.requests.some((address) => address.startsWith('ws:'))).toBe(true);
    expect(tab.errors).toEqual([]);
    expectOnlyOwn(tab);
  });
});
