import type { OutgoingHttpHeaders } from 'node:http';

/**
 * For pages of our own, GraphiQL among them: everything they need is in them. Its editor runs in workers made from
 * blobs, and its scripts and styles are inline.
 */
const PAGE_POLICY = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline' blob:",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self' ws: wss: blob:",
  "worker-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

export const PAGE_HEADERS: OutgoingHttpHeaders = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': PAGE_POLICY,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-cache',
};

/** A page, or a part of one. */
export interface Page {
  readonly body: string;
  /** Over those of every page: another type, a stricter policy. */
  readonly headers?: OutgoingHttpHeaders;
}
