import type { IncomingMessage, ServerResponse } from 'node:http';
import { LOOPBACK } from './request.ts';

export interface Origins {
  /** May a page of `origin` talk to the service? What comes without an origin is no browser, or the same site. */
  allows(origin: string | undefined, host: string | undefined): boolean;
  /** Sets the CORS headers of an answer; true when the request was a preflight and the answer is complete. */
  answer(req: IncomingMessage, res: ServerResponse): boolean;
}

function parse(origin: string): URL | null {
  return URL.canParse(origin) ? new URL(origin) : null;
}

/**
 * Which web pages may call.
 *
 * @param allowed exact origins, `localhost` for any port of this machine, `*` for all.
 */
export function createOrigins(allowed: readonly string[]): Origins {
  const any = allowed.includes('*');
  const local = allowed.includes('localhost');
  const exact = new Set(allowed.map((origin) => parse(origin)?.origin).filter((origin) => origin !== 'null'));

  function isListed(origin: string): boolean {
    if (any) return true;
    const url = parse(origin);
    return url !== null && (exact.has(url.origin) || (local && LOOPBACK.has(url.hostname)));
  }

  return {
    allows(origin, host) {
      return origin === undefined || (host !== undefined && parse(origin)?.host === host) || isListed(origin);
    },
    answer(req, res) {
      const { origin } = req.headers;
      res.setHeader('Vary', 'Origin');
      const preflight = req.method === 'OPTIONS' && req.headers['access-control-request-method'] !== undefined;
      if (origin !== undefined && isListed(origin)) {
        res.setHeader('Access-Control-Allow-Origin', any ? '*' : origin);
        res.setHeader(
          'Access-Control-Expose-Headers',
          'X-Request-Id, Retry-After, Content-Disposition, Content-Length, Content-Range, ETag',
        );
        if (preflight) {
          res.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, POST, OPTIONS');
          // There are no cookies, so a header can lend a page no rights that it does not hold.
          res.setHeader(
            'Access-Control-Allow-Headers',
            req.headers['access-control-request-headers'] ?? 'content-type',
          );
          res.setHeader('Access-Control-Max-Age', '86400');
        }
      }
      if (preflight) res.writeHead(204).end();
      return preflight;
    },
  };
}
