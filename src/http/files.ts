import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { create as contentDisposition } from 'content-disposition';
import { AppError } from '../errors.ts';
import type { Links, VerifiedLink } from '../storage/links.ts';
import { displayFilename } from '../storage/names.ts';
import type { Storage } from '../storage/storage.ts';

export interface ServedFile {
  readonly storageKey: string;
  readonly mimeType: string;
  /** As people know it; whatever it contains, it cannot break the header. */
  readonly filename: string;
  /** Changes with the content; without quotes. */
  readonly etag: string;
}

/** Knows which stored file stands behind the path of a link. */
export interface FileSource {
  /** Null when there is none, or none any more. */
  find(path: string): Promise<ServedFile | null>;
}

export interface FilesOptions {
  readonly links: Pick<Links, 'verify'>;
  readonly source: FileSource;
  readonly storage: Pick<Storage, 'open' | 'stat'>;
}

/** A client that takes nothing for so long only holds a place. */
const STALLED_MS = 30_000;

type Range = { start: number; end: number };

/** Types a browser shows without running anything; the rest is offered for saving. */
const SHOWN = /^image\/(?!svg)[\w.+-]+$/;
const SAVED = /^[\w.+-]+\/[\w.+-]+$/;

/** One range of RFC 9110, section 14; null for none, or for what may be ignored; 'none' when it lies outside. */
function rangeOf(header: string | undefined, bytes: number): Range | 'none' | null {
  const { first, last } = /^bytes=(?<first>\d*)-(?<last>\d*)$/.exec(header?.trim() ?? '')?.groups ?? {};
  if (first === undefined || last === undefined || (first === '' && last === '')) return null;
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null;
  return start > end ? 'none' : { start, end };
}

function matches(header: string | undefined, etag: string): boolean {
  return (header ?? '').split(',').some((item) => ['*', etag].includes(item.trim().replace(/^W\//, '')));
}

function headersOf(file: ServedFile, link: VerifiedLink): OutgoingHttpHeaders {
  const shown = SHOWN.test(file.mimeType);
  const seconds = Math.max(0, Math.floor((link.expiresAt.getTime() - Date.now()) / 1000));
  return {
    'Content-Type': shown || SAVED.test(file.mimeType) ? file.mimeType : 'application/octet-stream',
    'Content-Disposition': contentDisposition(displayFilename(file.filename), {
      type: link.download || !shown ? 'attachment' : 'inline',
    }),
    'Cache-Control': `private, immutable, max-age=${seconds}`,
    'Content-Security-Policy': "default-src 'none'; sandbox",
    // The signature is the right to see it, wherever the page is from.
    'Cross-Origin-Resource-Policy': 'cross-origin',
    'Accept-Ranges': 'bytes',
    ETag: `"${file.etag}"`,
  };
}

/** Not by the time-out of the socket, by which Node ends a connection that stays idle after the answer. */
function watchReader(res: ServerResponse): () => void {
  let before = -1;
  const timer = setInterval(() => {
    const now = res.socket?.bytesWritten ?? 0;
    if (now === before) res.destroy();
    before = now;
  }, STALLED_MS).unref();
  return () => clearInterval(timer);
}

/** Answers `GET` and `HEAD /files/…` for whoever holds a signed link. */
export function createFiles({ links, source, storage }: FilesOptions) {
  return async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const link = links.verify(req.url ?? '');
    if (link === null) {
      throw new AppError('FORBIDDEN', 'This link is not valid or has expired. Ask the API for a new one.');
    }
    const file = await source.find(link.path);
    const stored = file && (await storage.stat(file.storageKey));
    if (file === null || stored === null) throw new AppError('NOT_FOUND', 'This file is no longer here.');

    const headers = headersOf(file, link);
    const etag = `"${file.etag}"`;
    if (matches(req.headers['if-none-match'], etag)) {
      res.writeHead(304, headers).end();
      return;
    }
    const ifRange = req.headers['if-range'];
    // RFC 9110, section 14.2: a range is for GET alone.
    const ranged = req.method === 'GET' && (ifRange === undefined || ifRange === etag);
    const range = ranged ? rangeOf(req.headers.range, stored.bytes) : null;
    if (range === 'none') {
      res.writeHead(416, { ...headers, 'Content-Range': `bytes */${stored.bytes}`, 'Content-Length': 0 }).end();
      return;
    }
    const length = range === null ? stored.bytes : range.end - range.start + 1;
    const all = {
      ...headers,
      'Content-Length': length,
      ...(range && { 'Content-Range': `bytes ${range.start}-${range.end}/${stored.bytes}` }),
    };
    const status = range === null ? 200 : 206;
    if (req.method === 'HEAD') {
      res.writeHead(status, all).end();
      return;
    }
    const content = await storage.open(file.storageKey, range ?? undefined);
    if (content === null) throw new AppError('NOT_FOUND', 'This file is no longer here.');
    const stopWatching = watchReader(res);
    try {
      // Gone while the file was being opened: a pipeline into a closed answer would never close its source.
      if (res.destroyed) return;
      res.writeHead(status, all);
      await pipeline(content, res);
    } finally {
      content.destroy();
      stopWatching();
    }
  };
}
