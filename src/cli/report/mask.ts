import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { miniatureOf, type Miniature } from '../../imaging/miniature.ts';
import type { Client } from '../client.ts';

/**
 * A small picture of a mask of the service; null where it cannot be had, which fails no report.
 *
 * @param link as in `Outcome`; null = there is none.
 * @param side pixels of its longer side, at most.
 * @throws the reason of `signal`.
 */
export async function maskPicture(
  client: Client,
  link: string | null,
  side: number,
  signal: AbortSignal,
): Promise<Miniature | null> {
  if (link === null) return null;
  const folder = await mkdtemp(join(tmpdir(), 'heirloom-'));
  try {
    const path = join(folder, 'mask.png');
    await client.download(link, path, signal);
    return await miniatureOf({ path, format: 'png' }, side, signal);
  } catch {
    signal.throwIfAborted();
    return null;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
