import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

function mount(options: string): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'heirloom-small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmdirSync(folder);
    return null;
  }
}

function unmount(folder: string): void {
  execFileSync('umount', ['-l', folder]);
  rmdirSync(folder);
}

/** Whether this process may mount; root may on most Linux machines. */
export const mayMount = (() => {
  const probe = mount('size=1m');
  if (probe !== null) unmount(probe);
  return probe !== null;
})();

/** A tmpfs with these options, for as long as the test runs. */
export function smallDisk(options: string): string {
  const folder = mount(options);
  if (folder === null) throw new Error('may not mount');
  onTestFinished(() => unmount(folder));
  return folder;
}
