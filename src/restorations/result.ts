import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '../db/ids.ts';
import { AppError } from '../errors.ts';
import type { WhenRoom } from '../imaging/decoding-bytes.ts';
import { encodeResult } from '../imaging/encode.ts';
import { inspectImage } from '../imaging/inspect.ts';
import type { ImageLimits } from '../imaging/limits.ts';
import { readPicture } from '../imaging/read.ts';
import { writeUnchanged } from '../imaging/unchanged/unchanged.ts';
import type { Gate } from '../limits/gate.ts';
import type { Photo, Rendition } from '../photos/entity.ts';
import { EAGER_RENDITIONS, type Renditions } from '../photos/renditions.ts';
import type { RestoreResult } from '../providers/provider.ts';
import type { Storage } from '../storage/storage.ts';
import { sha256Of } from './checksum.ts';
import type { Restoration } from './entity.ts';
import { keyOf } from './keys.ts';
import type { Masks, StoredMask } from './masks.ts';

/** A result that lies in the storage; its rows follow. */
export interface StoredResult {
  readonly columns: Pick<Restoration, 'storageKey' | 'format' | 'mimeType' | 'width' | 'height' | 'bytes' | 'sha256'>;
  readonly renditions: Rendition[];
  /** What was repaired; absent where nothing was, and where its owner had said what. */
  readonly mask: StoredMask | undefined;
}

const EXTENSIONS: Record<string, string> = { jpeg: 'jpg' };

/** Takes what a provider returns, encodes it as it was asked for, and stores it with its renditions. */
export function createResults(deps: {
  storage: Storage;
  renditions: Renditions;
  masks: Masks;
  scratchDir: string;
  processedDir: string;
  decoding: Gate;
  /** What a result may be at most. */
  limits: ImageLimits;
}) {
  const { storage, renditions, masks, limits } = deps;

  const whenRoom =
    (signal: AbortSignal): WhenRoom =>
    (bytes, decode) =>
      deps.decoding.run(bytes, signal, decode);

  /** A remote result is trusted no more than an upload (C16). */
  async function pictureOf(result: RestoreResult, providerId: string, signal: AbortSignal) {
    const { picture } = result;
    if (picture.kind === 'raster') return picture.raster;
    try {
      const options = { limits, signal, whenRoom: whenRoom(signal) };
      const { format } = await inspectImage(picture.path, limits, options);
      return await readPicture(picture.path, format, options);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      throw new AppError(
        'PROVIDER_REJECTED',
        `${providerId} returned something that is no usable image: ${error.message}`,
        {
          provider: providerId,
          cause: error,
        },
      );
    }
  }

  return {
    /**
     * @param source a local path of the photo, whose metadata the result may keep.
     * @throws AppError PROVIDER_REJECTED, STORAGE_FULL; the signal's reason.
     */
    async store(
      restoration: Restoration,
      photo: Photo,
      source: string,
      result: RestoreResult,
      providerId: string,
      signal: AbortSignal,
    ): Promise<StoredResult> {
      const scratch = join(deps.scratchDir, `${newId()}.part`);
      let storageKey: string | null = null;
      let mask: StoredMask | undefined;
      try {
        const { outputFormat, outputQuality, metadataPolicy } = restoration.options;
        const options = {
          original: { path: source, format: photo.format },
          outputFormat,
          ...(outputQuality === null ? {} : { quality: outputQuality }),
          metadataPolicy,
          signal,
        };
        const { picture } = result;
        const same = picture.kind === 'raster' && picture.unchanged === true;
        const encoded =
          (same ? await writeUnchanged(options, scratch) : null) ??
          (await encodeResult(await pictureOf(result, providerId, signal), options, scratch));
        const sha256 = await sha256Of(scratch, signal);
        const key = keyOf(deps.processedDir, restoration, photo, `.${EXTENSIONS[encoded.format] ?? encoded.format}`);
        await storage.put(key, scratch);
        storageKey = key;
        if (result.mask !== undefined && restoration.options.ownMask !== true) {
          mask = await masks.keep(result.mask, keyOf(deps.processedDir, restoration, photo, '.mask.png'), signal);
        }
        const owner = { ownerId: restoration.id, sourceKey: key, format: encoded.format };
        const rows = await renditions.make(owner, EAGER_RENDITIONS, signal);
        const { format, mimeType, width, height, bytes } = encoded;
        return { columns: { storageKey, format, mimeType, width, height, bytes, sha256 }, renditions: rows, mask };
      } catch (error) {
        if (storageKey !== null) await storage.delete(storageKey);
        if (mask !== undefined) await masks.drop(mask);
        throw error;
      } finally {
        await rm(scratch, { force: true });
        if (result.picture.kind === 'file') await rm(result.picture.path, { force: true });
      }
    },

    /** Takes a stored result away again, when its rows could not be written. */
    async drop(stored: StoredResult): Promise<void> {
      if (stored.columns.storageKey !== null) await storage.delete(stored.columns.storageKey);
      await renditions.drop(stored.renditions);
      if (stored.mask !== undefined) await masks.drop(stored.mask);
    },
  };
}

export type Results = ReturnType<typeof createResults>;
