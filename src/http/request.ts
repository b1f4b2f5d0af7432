import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Config } from '../config.ts';

const REQUEST_ID = /^[\w.-]{1,64}$/;
const HOST = /^(?<name>[a-z\d.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;
/** Names of this machine, as a URL has them. */
export const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);
const ABSOLUTE = /^https?:\/\/(?<host>[^/?#]*)(?<rest>[^#]*)/i;
const BEARER = /^bearer +(?<token>\S+) *$/i;

function header(req: IncomingMessage, name: string): string | undefined {
  const value = req.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

/** The client's own id of the request where it is harmless, else a new one. */
export function requestIdOf(req: IncomingMessage): string {
  const given = header(req, 'x-request-id');
  return given !== undefined && REQUEST_ID.test(given) ? given : randomUUID();
}

/** A form that was not filled in, or what a browser adds for a proxy in front that asks for a password. */
const NOT_FOR_US = /^(?:bearer *|(?:basic|digest|negotiate) .*)?$/i;

/**
 * The token of `Bearer x`; undefined for nothing, and for what is meant for a proxy. Anything else is given as it is, so
 * that it is refused like every bad token instead of being taken for nobody.
 */
export function tokenIn(authorization: unknown): string | undefined {
  if (authorization === undefined || authorization === null) return undefined;
  if (typeof authorization !== 'string') return '';
  if (NOT_FOR_US.test(authorization)) return undefined;
  return BEARER.exec(authorization)?.groups?.['token'] ?? authorization;
}

/**
 * Brings a target in absolute form, as clients send it to a proxy, into the usual one; its host counts then, whatever the
 * Host header says (RFC 9112, 3.2.2).
 */
export function toOriginForm(req: IncomingMessage): void {
  const { host, rest } = ABSOLUTE.exec(req.url ?? '')?.groups ?? {};
  if (host === undefined || rest === undefined) return;
  req.headers.host = host;
  req.url = rest.startsWith('/') ? rest : `/${rest}`;
}

/** Whether a request asks for a WebSocket; any other protocol that it offers to change to is ignored (RFC 9110, 7.8). */
export function wantsWebSocket({ headers }: IncomingMessage): boolean {
  return (headers.upgrade ?? '').split(',').some((protocol) => protocol.trim().toLowerCase() === 'websocket');
}

/** The path without what comes after `?`, as it was sent. */
export function pathOf(req: IncomingMessage): string {
  return (req.url ?? '/').split('?', 1)[0] ?? '/';
}

export interface RequestReader {
  addressOf(req: IncomingMessage): string;
  /** Where this client reaches the service, without a slash at the end. */
  baseUrlOf(req: IncomingMessage): string;
}

/**
 * Reads what a request says about where it comes from. Headers that anybody can set are believed only where the
 * configuration says so.
 *
 * @param config.publicUrl wins over everything else.
 * @param listening the address the service listens on, e.g. `http://127.0.0.1:4000`.
 */
export function createRequestReader(
  config: Pick<Config, 'mode' | 'publicUrl' | 'trustedHosts' | 'trustProxy'>,
  listening: () => string,
): RequestReader {
  const publicUrl = config.publicUrl?.replace(/\/+$/, '');
  const trusted = new Set(config.trustedHosts.map((host) => host.toLowerCase()));

  function isTrusted(host: string, name: string): boolean {
    return trusted.has(host) || trusted.has(name) || (config.mode === 'development' && LOOPBACK.has(name));
  }

  return {
    addressOf(req) {
      // The nearest proxy writes the last entry; those before it come from the client.
      const forwarded = config.trustProxy
        ? (header(req, 'x-forwarded-for')?.split(',').at(-1)?.trim() ?? header(req, 'x-real-ip')?.trim())
        : undefined;
      return (forwarded || req.socket.remoteAddress || 'unknown').replace(/^::ffff:(?=\d+\.)/, '');
    },
    baseUrlOf(req) {
      if (publicUrl !== undefined) return publicUrl;
      const host = req.headers.host?.toLowerCase() ?? '';
      const name = HOST.exec(host)?.groups?.['name'];
      if (name === undefined || !isTrusted(host, name)) return listening();
      const secure = config.trustProxy && header(req, 'x-forwarded-proto')?.split(',').at(-1)?.trim() === 'https';
      return `${secure ? 'https' : 'http'}://${host}`;
    },
  };
}
