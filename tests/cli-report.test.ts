import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { folderForTest, runCli, startService } from './helpers/cli.ts';
import { jpeg, picture } from './helpers/service.ts';

/** The pictures that a page holds. */
function picturesOf(page: string): Buffer[] {
  return [...page.matchAll(/src="data:image\/jpeg;base64,([^"]+)"/g)].map(([, data]) =>
    Buffer.from(data ?? '', 'base64'),
  );
}

async function album(cwd: string): Promise<void> {
  await mkdir(join(cwd, 'album'));
  await writeFile(join(cwd, 'album', 'a <b>&.jpg'), await jpeg(2));
  await writeFile(join(cwd, 'album', 'b.jpg'), 'no photo at all');
  await writeFile(join(cwd, 'album', 'c.png'), await picture(3, 120, 160).png().toBuffer());
}

describe('restore --report', () => {
  it('writes one page of all photos, also of the one that failed, that needs nothing but itself', async () => {
    const cwd = await folderForTest();
    await album(cwd);
    const { code, stdout } = await runCli(['restore', '--report', 'album/', '-o', 'done/'], { cwd });
    expect(stdout).toContain('Report: done/restored-report.html\n');
    expect(code).toBe(3);
    expect((await readdir(join(cwd, 'done'))).toSorted()).toEqual([
      'a <b>&-restored.jpg',
      'c-restored.png',
      'restored-report.html',
    ]);
    const page = await readFile(join(cwd, 'done', 'restored-report.html'), 'utf8');
    expect(page).toContain('3 photos, 2 restored');
    expect(page).toContain('<h2>album/a &lt;b&gt;&amp;.jpg</h2>');
    expect(page).not.toContain('<b>');
    expect(page).not.toMatch(/<script|https?:|<link|\son\w+=/i);
    expect(page).toContain("default-src 'none'; img-src data:");
    expect(page).toContain('Not restored: UNSUPPORTED_IMAGE: ');
    expect(page).toContain('<dt>Model</dt><dd>Automatic restoration</dd>');
    expect(page).toMatch(/<dt>Before<\/dt><dd>120 × 160, PNG, [\d.]+ kB<\/dd>/);
    expect(page).toMatch(/<span class="step">[✓–] denoise<\/span> \w+/);
    const sizes = await Promise.all(picturesOf(page).map((bytes) => sharp(bytes).metadata()));
    expect(sizes.map(({ width, height }) => [width, height])).toEqual([
      [160, 120],
      [160, 120],
      [120, 160],
      [120, 160],
    ]);
    expect(page.trimEnd().endsWith('</html>')).toBe(true);
  });

  it('goes where it is told, also from a service that runs, and is never written over by itself', async () => {
    const cwd = await folderForTest();
    await using service = await startService({ cwd });
    await writeFile(join(cwd, 'photo.jpg'), await jpeg(4));
    const args = ['restore', 'photo.jpg', '--report', 'seen.html', '--model', 'tone'];
    const { code, stderr, stdout } = await runCli(args, { cwd });
    expect(stderr).toContain(`Using the service at ${service.url}.`);
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('Report: seen.html\n') });
    expect(picturesOf(await readFile(join(cwd, 'seen.html'), 'utf8'))).toHaveLength(2);

    await writeFile(join(cwd, 'seen.html'), 'mine');
    const refused = await runCli([...args, '-o', 'other.jpg'], { cwd });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('seen.html exists already; --force') });
    expect(refused.stderr).not.toContain('uploading');
    expect(await readFile(join(cwd, 'seen.html'), 'utf8')).toBe('mine');
    expect(await runCli([...args, '-o', 'other.jpg', '--force'], { cwd })).toMatchObject({ code: 0 });
    expect(await readFile(join(cwd, 'seen.html'), 'utf8')).toContain('<h1>Restored photos</h1>');
  });

  it('shows where a photo was repaired', async () => {
    const cwd = await folderForTest();
    await writeFile(join(cwd, 'photo.png'), await picture(6, 120, 160).png().toBuffer());
    const bar = { create: { width: 4, height: 160, channels: 3, background: '#fff' } } as const;
    const mask = sharp({ create: { width: 120, height: 160, channels: 3, background: '#000' } });
    await mask
      .composite([{ input: bar, left: 40, top: 0 }])
      .png()
      .toFile(join(cwd, 'mask.png'));
    const args = ['restore', 'photo.png', '--model', 'repair', '--mask', 'mask.png', '--report=seen.html'];
    expect(await runCli(args, { cwd })).toMatchObject({ code: 0 });
    const page = await readFile(join(cwd, 'seen.html'), 'utf8');
    expect(page).toContain('Repaired where it is white');
    const shown = picturesOf(page)[2];
    const { data, info } = await sharp(shown).greyscale().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([120, 160]);
    const row = [...data.subarray(80 * 120, 81 * 120)];
    expect(row.flatMap((level, x) => (level > 200 ? [x] : []))).toEqual([40, 41, 42, 43]);
  });

  it('writes a contact sheet for a name that ends in .jpg, and stands beside the result by default', async () => {
    const cwd = await folderForTest();
    await album(cwd);
    expect(await runCli(['restore', 'album/', '-o', 'done/', '--report=sheet.jpg'], { cwd })).toMatchObject({
      code: 3,
    });
    const { width = 0, height = 0, format } = await sharp(join(cwd, 'sheet.jpg')).metadata();
    expect(format).toBe('jpeg');
    // Three pairs, one below the other.
    expect(width).toBe(24 + (2 * 640 + 4) + 24);
    expect(height).toBe(24 + 3 * (640 + 24));
    // The one that failed has no pictures.
    const failed = await sharp(join(cwd, 'sheet.jpg'))
      .extract({ left: 40, top: 24 + 664 + 20, width: 600, height: 600 })
      .raw()
      .toBuffer();
    expect(failed.every((level) => Math.abs(level - 216) < 4)).toBe(true);

    const alone = await runCli(['restore', join('album', 'c.png'), '--report'], { cwd });
    expect(alone.stdout).toContain('Report: album/c-restored-report.html\n');
  });

  it('takes the word behind it for the sheet and never for a photo, also when it is there already', async () => {
    const cwd = await folderForTest();
    await mkdir(join(cwd, 'album'));
    await writeFile(join(cwd, 'album', 'a.jpg'), await jpeg(2));
    const command = ['restore', 'album/', '-o', 'done/', '--model', 'tone'];
    const first = await runCli([...command, '--report', 'album/sheet.jpg'], { cwd });
    expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('Report: album/sheet.jpg\n') });
    expect(await readdir(join(cwd, 'done'))).toEqual(['a-restored.jpg']);
    const sheet = await readFile(join(cwd, 'album', 'sheet.jpg'));

    const second = await runCli([...command, '--force', '--report', 'album/sheet.jpg'], { cwd });
    expect(second).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('--report=album/sheet.jpg --force writes over it; a photo is named before'),
    });
    expect(await readFile(join(cwd, 'album', 'sheet.jpg'))).toEqual(sheet);

    // Neither the folder nor a pattern means it.
    for (const photos of ['album/', 'album/*']) {
      const args = ['restore', photos, '-o', 'done/', '--model', 'tone', '--force', '--report=album/sheet.jpg'];
      expect(await runCli(args, { cwd })).toMatchObject({ code: 0, stderr: expect.not.stringContaining('sheet.jpg') });
      expect(await readdir(join(cwd, 'done'))).toEqual(['a-restored.jpg']);
    }
  });

  it.each([
    ['a name that is of no report', ['--report=seen.pdf'], 2, /--report is seen\.pdf: a report ends in \.html/],
    ['a picture of another kind', ['--report=s.png'], 2, /--report is s\.png: a report ends in \.html, a [^(]*\.$/m],
    ['the same apart', ['--report', 's.png'], 2, /in \.jpg \(a photo is named before --report\)\./],
    ['the photo behind it', ['--report', 'photo.jpg'], 2, /photo\.jpg exists already\. .*named before --report/],
    ['a name that a result may take', ['--report', 'photo-restored.jpg'], 2, /a result may be called so/],
    ['the photo itself', ['--report=photo.jpg', '--force'], 1, /written over the photo itself/],
    ['a folder that is missing', ['--report=no/seen.html'], 1, /no\/seen\.html cannot be written/],
  ])('refuses %s before any work', async (_what, args, code, message) => {
    const cwd = await folderForTest();
    await writeFile(join(cwd, 'photo.jpg'), await jpeg(5));
    const finished = await runCli(['restore', 'photo.jpg', ...args], { cwd });
    expect(finished).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(message) });
    expect(finished.stderr).not.toContain('uploading');
  });
});
