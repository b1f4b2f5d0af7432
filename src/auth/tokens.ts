import { decodeJwt, jwtVerify, SignJWT, type JWTPayload } from 'jose';
import type { Role } from '../db/context.ts';
import { isId } from '../db/ids.ts';
import { AppError } from '../errors.ts';
import { unauthenticated } from './require.ts';

const ISSUER = 'heirloom';
const AUDIENCE = 'heirloom-api';
const ALGORITHM = 'HS256';
/** RFC 9068: keeps another kind of token that the same key may sign from being taken for an access token. */
const TYPE = 'at+jwt';
/** Seconds that the clocks of two machines may differ. */
const CLOCK_TOLERANCE = 30;
const MAX_TOKEN_LENGTH = 8192;

/** Whom a token is for. `role` and `guest` inform clients; what a request may do is read from the database. */
export interface TokenSubject {
  readonly userId: string;
  readonly sessionId: string;
  readonly role: Role;
  readonly guest: boolean;
}

export interface Claims extends TokenSubject {
  readonly expiresAt: Date;
}

/** Checks the tokens of one issuer. */
export interface TokenVerifier {
  /** The `iss` of its tokens. */
  readonly issuer: string;
  verify(token: string): Promise<Claims>;
}

export interface TokenIssuer {
  issue(subject: TokenSubject): Promise<{ token: string; expiresAt: Date }>;
  /** @throws AppError UNAUTHENTICATED, always with the same message, for anything that is not a good token. */
  verify(token: string): Promise<Claims>;
}

function toClaims({ sub, sid, role, guest, exp }: JWTPayload): Claims {
  if (typeof sub !== 'string' || typeof sid !== 'string' || !isId(sub) || !isId(sid) || exp === undefined) {
    throw new Error('sub and sid must be ids');
  }
  return {
    userId: sub,
    sessionId: sid,
    role: role === 'ADMIN' ? 'ADMIN' : 'USER',
    guest: guest === true,
    expiresAt: new Date(exp * 1000),
  };
}

/** Own tokens: JWT (RFC 7519) signed with HMAC-SHA-256, and with nothing else. */
function ownVerifier(key: Uint8Array, now: () => number): TokenVerifier {
  return {
    issuer: ISSUER,
    async verify(token) {
      const currentDate = new Date(now());
      const { payload } = await jwtVerify(token, key, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: AUDIENCE,
        typ: TYPE,
        requiredClaims: ['exp', 'iat', 'sub', 'sid'],
        clockTolerance: CLOCK_TOLERANCE,
        currentDate,
      });
      if ((payload.iat ?? 0) > currentDate.getTime() / 1000 + CLOCK_TOLERANCE) throw new Error('iat lies ahead');
      return toClaims(payload);
    },
  };
}

/**
 * Issues own tokens and checks tokens, by their `iss`, with the verifier of their issuer.
 *
 * @param secret at least 32 characters.
 * @param expiresInSeconds life of a token.
 */
export function createTokens({
  secret,
  expiresInSeconds,
  now = Date.now,
}: {
  secret: string;
  expiresInSeconds: number;
  now?: () => number;
}): TokenIssuer {
  const key = new TextEncoder().encode(secret);
  const verifiers = new Map([ownVerifier(key, now)].map((verifier) => [verifier.issuer, verifier]));

  return {
    async issue({ userId, sessionId, role, guest }) {
      const issuedAt = Math.floor(now() / 1000);
      const expiresAt = issuedAt + expiresInSeconds;
      const token = await new SignJWT({ sid: sessionId, role, guest })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(userId)
        .setIssuedAt(issuedAt)
        .setExpirationTime(expiresAt)
        .sign(key);
      return { token, expiresAt: new Date(expiresAt * 1000) };
    },

    async verify(token) {
      if (token.length > MAX_TOKEN_LENGTH) throw unauthenticated();
      try {
        const verifier = verifiers.get(decodeJwt(token).iss ?? '');
        if (verifier === undefined) throw new Error('no verifier for this issuer');
        return await verifier.verify(token);
      } catch (error) {
        // An issuer that cannot be reached has its own code; everything else is told alike.
        throw error instanceof AppError ? error : unauthenticated(error);
      }
    },
  };
}
