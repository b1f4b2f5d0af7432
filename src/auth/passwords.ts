import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import PQueue from 'p-queue';
import { AppError } from '../errors.ts';

/** scrypt's parameters (RFC 7914): 2^logN rounds of r × 128 bytes of memory, p times. */
export interface ScryptCost {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

/**
 * 32 MB and about 0.2 s. One of the settings that OWASP's password storage cheat sheet holds equal (2^17/8/1, 2^16/8/2,
 * 2^15/8/3), and the one of them that takes least memory from the pictures.
 */
const DEFAULT_COST: ScryptCost = { logN: 15, r: 8, p: 3 };
const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** Node's pool has four threads; two stay free for files and pictures. */
const AT_ONCE = 2;
const MAX_WAITING = 32;
const HASH = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w+/]+)\$([\w+/]+)$/;

export interface Passwords {
  /** A hash with its salt and parameters in it: `$scrypt$ln=15,r=8,p=3$salt$key` (PHC string format). */
  hash(password: string, signal: AbortSignal): Promise<string>;
  /**
   * Whether the password is the one of the hash. Null, for a user who does not exist, takes the same time and is false.
   */
  verify(password: string, hash: string | null, signal: AbortSignal): Promise<boolean>;
}

function derive(password: string, salt: Buffer, cost: ScryptCost): Promise<Buffer> {
  const N = 2 ** cost.logN;
  const options = { N, r: cost.r, p: cost.p, maxmem: 256 * N * cost.r };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, KEY_BYTES, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}

const base64 = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');

function parse(hash: string): { cost: ScryptCost; salt: Buffer; key: Buffer } {
  const [, logN, r, p, salt, key] = HASH.exec(hash) ?? [];
  if (salt === undefined || key === undefined) throw new Error('a stored password hash is not one of ours');
  return {
    cost: { logN: Number(logN), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, 'base64'),
    key: Buffer.from(key, 'base64'),
  };
}

/**
 * Hashes and compares passwords, two at a time.
 *
 * @param cost of new hashes; those that are stored keep their own.
 * @param maxWaiting how many may wait; one more is RATE_LIMITED. Default 32, about 4 s of work.
 */
export function createPasswords({
  cost = DEFAULT_COST,
  maxWaiting = MAX_WAITING,
}: { cost?: ScryptCost; maxWaiting?: number } = {}): Passwords {
  const line = new PQueue({ concurrency: AT_ONCE });
  /** In place of a user's salt and key where there is no user. */
  const nobody = { cost, salt: randomBytes(SALT_BYTES), key: randomBytes(KEY_BYTES) };

  function inLine(password: string, salt: Buffer, withCost: ScryptCost, signal: AbortSignal): Promise<Buffer> {
    if (line.size >= maxWaiting) {
      throw new AppError('RATE_LIMITED', 'Too many people are signing in just now. Try again in a few seconds.', {
        retryAfter: 4,
      });
    }
    // The signal is looked at here and not given to the line: a hash that runs cannot be stopped and keeps its place.
    return line.add(() => {
      signal.throwIfAborted();
      return derive(password, salt, withCost);
    });
  }

  return {
    async hash(password, signal) {
      const salt = randomBytes(SALT_BYTES);
      const key = await inLine(password, salt, cost, signal);
      return `$scrypt$ln=${cost.logN},r=${cost.r},p=${cost.p}$${base64(salt)}$${base64(key)}`;
    },
    async verify(password, hash, signal) {
      const expected = hash === null ? nobody : parse(hash);
      const key = await inLine(password, expected.salt, expected.cost, signal);
      return timingSafeEqual(key, expected.key) && hash !== null;
    },
  };
}
