/**
 * Begins this process anew, in place and with the same id, with glibc's memory in two arenas. Of itself glibc takes one
 * for each thread and keeps in each what the largest photo needed: after two photos of 12 megapixels 1.1 GB stayed where
 * 0.7 GB do with two (https://sharp.pixelplumbing.com/performance). It is read before `main`, so it cannot be set later.
 *
 * Does nothing elsewhere, and nothing where the operator has set MALLOC_ARENA_MAX or a parent holds a channel to us.
 */
export function limitArenas(): void {
  const { env, platform, execPath, execArgv, argv } = process;
  if (platform !== 'linux' || env['MALLOC_ARENA_MAX'] !== undefined || process.connected) return;
  process.execve?.(execPath, [execPath, ...execArgv, ...argv.slice(1)], { ...env, MALLOC_ARENA_MAX: '2' });
}
