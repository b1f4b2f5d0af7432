import { createHmac, timingSafeEqual } from 'node:crypto';
import { AppError } from '../errors.ts';

const HOUR = 3600;
const DEFAULT_SECONDS = HOUR;
const MIN_SECONDS = 60;
const MAX_SECONDS = 7 * 24 * HOUR;

/** Exactly what `sign` writes; anything else, in another order or twice, is no link of ours. */
const LINK = /^(?<path>\/files\/[^?#]+)\?e=(?<e>[1-9]\d{0,11})&s=(?<s>[\w-]{43})(?<download>&download=1)?$/;

export interface LinkOptions {
  /** Seconds, 60 to 604,800; default 3600. The expiry is rounded up to the hour, so a link stays the same and caches. */
  expiresIn?: number | null | undefined;
  /** Offers the file for saving instead of showing it. */
  download?: boolean | null | undefined;
}

export interface VerifiedLink {
  /** Below `/files/`, decoded. */
  readonly path: string;
  readonly download: boolean;
  readonly expiresAt: Date;
}

export interface Links {
  /**
   * A relative, signed address of a file.
   *
   * @param path below `/files/`, without a slash in front.
   * @throws AppError BAD_USER_INPUT when `expiresIn` is out of its range.
   */
  sign(path: string, options?: LinkOptions): string;
  /** What a link grants; null when it was altered, has expired or was never signed. */
  verify(url: string): VerifiedLink | null;
}

function signature(key: string, path: string, expires: number, download: boolean): Buffer {
  return createHmac('sha256', key)
    .update(`${path}\n${expires}\n${download ? 1 : 0}`)
    .digest();
}

/**
 * HMAC-SHA256 links for `<img src>`, which can send no token.
 *
 * @param keys the first signs, all are accepted.
 * @param now milliseconds since the epoch.
 */
export function createLinks({ keys, now = Date.now }: { keys: readonly string[]; now?: () => number }): Links {
  const [signingKey] = keys;
  if (signingKey === undefined) throw new Error('Links need at least one key.');

  return {
    sign(path, { expiresIn, download } = {}) {
      const seconds = expiresIn ?? DEFAULT_SECONDS;
      if (!Number.isInteger(seconds) || seconds < MIN_SECONDS || seconds > MAX_SECONDS) {
        throw new AppError('BAD_USER_INPUT', `expiresIn must be ${MIN_SECONDS} to ${MAX_SECONDS} seconds.`, {
          field: 'expiresIn',
        });
      }
      const expires = Math.ceil((now() / 1000 + seconds) / HOUR) * HOUR;
      const encoded = `/files/${path.split('/').map(encodeURIComponent).join('/')}`;
      const saved = download === true;
      const signed = signature(signingKey, encoded, expires, saved).toString('base64url');
      return `${encoded}?e=${expires}&s=${signed}${saved ? '&download=1' : ''}`;
    },

    verify(url) {
      const { path, e, s, download } = LINK.exec(url)?.groups ?? {};
      if (path === undefined || e === undefined || s === undefined) return null;
      const given = Buffer.from(s, 'base64url');
      // Of 43 characters the last has two bits to spare: only the spelling that `sign` gives is accepted.
      if (given.toString('base64url') !== s) return null;
      const expires = Number(e);
      const saved = download !== undefined;
      const valid = keys
        .map((key) => timingSafeEqual(signature(key, path, expires, saved), given))
        .some((matches) => matches);
      if (!valid || expires * 1000 <= now()) return null;
      return {
        path: path.slice('/files/'.length).split('/').map(decodeURIComponent).join('/'),
        download: saved,
        expiresAt: new Date(expires * 1000),
      };
    },
  };
}
