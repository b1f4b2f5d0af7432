import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SECRETS as IN_EXIF } from '../fixtures/zoo/exif.ts';

/** What every service under test is configured with; none of it may be seen anywhere again. */
export const CANARY_ENV = {
  JWT_SECRET: 'canary-of-the-signing-secret-3f9a1c',
  URL_SIGNING_KEYS: 'canary-of-the-first-link-key-77d0e2,canary-of-an-older-link-key-b1245c',
} as const;

/** Passwords that the tests sign in with, right ones and wrong ones. */
const PASSWORDS = ['correct horse', 'wrong horse', 'battery staple', 'first password', 'second password'] as const;
export const CANARY_PASSWORD = 'canary of a password: Tr0ub4dor & 3';

/** With it begins every token that the service issues. */
const TOKEN_HEADER = Buffer.from('{"alg":"HS256","typ":"at+jwt"}').toString('base64url');

/** The signature in a link, as it is and URL-encoded. */
const SIGNED_LINK = /(?:[?&]|%26|%3F|\\u0026)s(?:=|%3D)[\w-]{43}/i;
/** The position in `cameraExif`, in degrees and as EXIF writes it. */
const POSITION = /52\.52\d*\D{1,20}13\.40|52\/1\D{1,3}31\/1/;

const FIXED = [
  CANARY_ENV.JWT_SECRET,
  ...CANARY_ENV.URL_SIGNING_KEYS.split(','),
  CANARY_PASSWORD,
  ...PASSWORDS,
  ...IN_EXIF,
  TOKEN_HEADER,
];

/** Base64 of a text, at each of the three places where it may begin in what is encoded; without what depends on the rest. */
function inBase64(text: string): string[] {
  return [0, 1, 2].flatMap((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(text)]);
    const whole = bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64');
    const certain = whole.slice(Math.ceil((before * 8) / 6));
    return [certain, certain.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

const FORMS = FIXED.flatMap((secret) => {
  const hex = Buffer.from(secret).toString('hex');
  const forms = [secret, encodeURIComponent(secret), secret.replaceAll(' ', '+'), hex, hex.toUpperCase()];
  return [...new Set([...forms, ...inBase64(secret)])].map((form) => ({ secret, form }));
});

/** The secrets that a text gives away: plain, URL-encoded, in hex or base64. */
export function secretsIn(text: string): string[] {
  const found = new Set(FORMS.filter(({ form }) => text.includes(form)).map(({ secret }) => secret));
  if (SIGNED_LINK.test(text)) found.add('a signed link');
  if (POSITION.test(text)) found.add('a position');
  return [...found];
}

/** @throws Error naming what `where` gives away. */
export function assertNoSecrets(text: string, where: string): void {
  const found = secretsIn(text);
  if (found.length > 0) throw new Error(`C44: ${where} gives away ${found.join(', ')}`);
}

/** Larger ones are made of generated rows. */
const LARGEST_DATABASE = 30e6;

/** Looks through the database files of a data folder, the log that is not yet merged included. */
export async function assertNoSecretsStored(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir).catch(() => [])) {
    const path = join(dataDir, name);
    if (!/\.sqlite/.test(name) || (await stat(path)).size > LARGEST_DATABASE) continue;
    assertNoSecrets(await readFile(path, 'latin1'), `the database ${name}`);
  }
}

/** Watches what a service says, a piece at a time; `check` fails when any of it gave something away. */
export function watchLog(where: string): { say(line: string): void; check(): void } {
  const found = new Set<string>();
  let held = '';
  const look = (): void => {
    for (const secret of secretsIn(held)) found.add(secret);
    held = '';
  };
  return {
    say(line) {
      held += line;
      if (held.length > 100_000) look();
    },
    check() {
      look();
      if (found.size > 0) throw new Error(`C44: ${where} gives away ${[...found].join(', ')}`);
    },
  };
}
