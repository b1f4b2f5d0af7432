import { hkdfSync, randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from '../config.ts';
import { codeOf } from '../errors.ts';

const MIN_LENGTH = 32;
/** What `link` answers on file systems without hard links. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EACCES']);

async function read(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  const secret = text?.trim();
  if (secret !== undefined && secret.length < MIN_LENGTH) {
    throw new ConfigError([
      `${path} holds less than ${MIN_LENGTH} characters: delete it and start again for a new secret; everybody has to sign in again then`,
    ]);
  }
  return secret;
}

/** Puts a secret at `path` unless one is there; whole or not at all, and never over that of another process. */
async function create(path: string): Promise<void> {
  const secret = `${randomBytes(32).toString('hex')}\n`;
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(secret);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path).catch(async (error: unknown) => {
      if (!NO_LINKS.has(String(codeOf(error)))) throw error;
      await writeFile(path, secret, { flag: 'wx', mode: 0o600, flush: true });
    });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Where the generated secret is kept. */
export const secretPath = (dataDir: string): string => join(dataDir, 'secret');

/**
 * The secret that signs tokens: the configured one, or 32 random bytes (as hex) kept in `<dataDir>/secret`, mode 0600,
 * which the first start makes. Production always configures one.
 *
 * @throws ConfigError when the file is there but too short.
 */
export async function loadSecret(dataDir: string, configured?: string): Promise<string> {
  if (configured !== undefined) return configured;
  const path = secretPath(dataDir);
  const known = await read(path);
  if (known !== undefined) return known;
  await mkdir(dataDir, { recursive: true });
  await create(path);
  const made = await read(path);
  if (made === undefined) throw new ConfigError([`${path} cannot be kept: check that DATA_DIR can be written to`]);
  return made;
}

/** A key of 32 bytes for one purpose (HKDF-SHA-256, RFC 5869), so that no key tells anything about another. */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `heirloom ${purpose}`, 32));
}
