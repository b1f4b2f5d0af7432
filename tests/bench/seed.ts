import { copyFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { guest, startService } from './service.ts';

export interface Seed {
  /** Restorations in all; nineteen of twenty belong to one guest. */
  readonly restorations: number;
  /** Whether the newest twentieth has its tries, events and renditions, too. */
  readonly details: boolean;
}

export interface SeededService {
  /** The owner of nearly everything: a guest's token, its user and its session. */
  readonly token: string;
  readonly userId: string;
  readonly sessionId: string;
  /** The file of the database. */
  readonly path: string;
}

const ATTEMPTS_PER_PHOTO = 4;
/** Every row names one of these files, which are there: a million files would take longer than everything else. */
const PHOTO_FILE = 'uploads/bench/photo.jpg';
const RESULT_FILE = 'processed/bench/result.jpg';
const SAMPLE = join(import.meta.dirname, '..', '..', 'samples', 'astronaut.jpg');

const EVENTS = [
  ['QUEUED', null, 0],
  ['RUNNING', null, 0],
  ['RUNNING', 'PREPARING', 2],
  ['RUNNING', 'DENOISING', 30],
  ['RUNNING', 'FINISHING', 80],
  ['SUCCEEDED', null, 100],
] as const;
const RENDITION_SIDES = { THUMBNAIL: 150, PREVIEW: 400, MEDIUM: 600, LARGE: 1200 };
const OPTIONS = JSON.stringify({
  strength: 1,
  upscale: 1,
  outputFormat: 'ORIGINAL',
  outputQuality: null,
  metadataPolicy: 'KEEP',
  parameters: {},
});

/** A UUID v7 of a moment; `n` makes it one of its own. */
function idAt(ms: number, n: number): string {
  const time = ms.toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, '0')}`;
}

/** What the built-in engine says of a photo. */
const REPORT = JSON.stringify({
  steps: ['denoise', 'tone', 'sharpen', 'upscale'].map((name, index) => ({
    name,
    ran: index < 2,
    strength: index < 2 ? 0.42 : 0,
    reason: 'Grain of 3.4 levels was measured in the even parts of the photo.',
  })),
  gate: {
    verdict: 'PASSED',
    reason: 'The result was compared with the photo, and no harm was found.',
    measures: [],
  },
});

type Row = Record<string, string | number | null>;

/** Inserts rows of a table, all with the same columns. */
function createInsert(database: Database.Database) {
  const statements = new Map<string, Database.Statement>();
  return (table: string, row: Row): void => {
    const columns = Object.keys(row);
    const statement =
      statements.get(table) ??
      database.prepare(`insert into "${table}" (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`);
    statements.set(table, statement);
    statement.run(...Object.values(row));
  };
}

type Insert = ReturnType<typeof createInsert>;
type Owner = Pick<SeededService, 'userId' | 'sessionId'>;

interface Attempt extends Owner {
  readonly n: number;
  readonly id: string;
  readonly photoId: string;
  readonly at: number;
}

function addPhoto(insert: Insert, { n, photoId, at, userId, sessionId }: Attempt): void {
  insert('photo', {
    id: photoId,
    created_at: at,
    user_id: userId,
    session_id: sessionId,
    original_filename: `Scan ${n}.jpg`,
    format: 'jpeg',
    mime_type: 'image/jpeg',
    width: 512,
    height: 512,
    bit_depth: 8,
    has_alpha: 0,
    bytes: 67_000,
    sha256: n.toString(16).padStart(64, '0'),
    dominant_color: '#886644',
    thumbhash: '1QcSHQRnh493V4dIh4eXh1h4kJUI',
    storage_key: PHOTO_FILE,
  });
}

function addRestoration(insert: Insert, { n, id, photoId, at, userId, sessionId }: Attempt): void {
  const succeeded = n % 10 !== 9;
  const result = <T>(value: T): T | null => (succeeded ? value : null);
  insert('restoration', {
    id,
    created_at: at,
    user_id: userId,
    session_id: sessionId,
    photo_id: photoId,
    model_id: 'auto',
    options: OPTIONS,
    status: succeeded ? 'SUCCEEDED' : 'FAILED',
    percent: succeeded ? 100 : 40,
    attempts: 1,
    tries_left: 2,
    fence: 1,
    queued_at: at,
    started_at: at + 20,
    finished_at: at + 900,
    report: result(REPORT),
    storage_key: result(RESULT_FILE),
    format: result('jpeg'),
    mime_type: result('image/jpeg'),
    width: result(512),
    height: result(512),
    bytes: result(67_000),
    sha256: result(n.toString(16).padStart(64, 'a')),
    error_code: succeeded ? null : 'INTERNAL_SERVER_ERROR',
  });
}

function addDetails(insert: Insert, { n, id, photoId, at, sessionId }: Attempt): void {
  for (const [status, stage, percent] of EVENTS) {
    insert('event', {
      at,
      kind: 'RESTORATION_CHANGED',
      session_id: sessionId,
      photo_id: photoId,
      restoration_id: id,
      attempt: 1,
      status,
      stage,
      percent,
    });
  }
  insert('run', {
    id: idAt(at, n),
    created_at: at,
    restoration_id: id,
    number: 1,
    provider: 'builtin',
    started_at: at,
    finished_at: at + 900,
  });
  for (const [index, [name, side]] of Object.entries(RENDITION_SIDES).entries()) {
    insert('rendition', {
      id: idAt(at + index, n),
      created_at: at,
      owner_id: id,
      name,
      width: side,
      height: side,
      bytes: side * 30,
      storage_key: RESULT_FILE,
    });
  }
}

/** Rows as uploads and restorations of the last years leave them, written in one transaction. */
function fill(path: string, owner: Owner, seed: Seed): void {
  const database = new Database(path);
  // Nothing is lost with a file that has only just been made; the service sets its own again.
  database.pragma('journal_mode = off');
  database.pragma('synchronous = off');
  database.pragma('foreign_keys = off');
  database.pragma('cache_size = -200000');
  const insert = createInsert(database);
  const now = Date.now();
  const other: Owner = { userId: idAt(now, 1), sessionId: idAt(now, 2) };
  database.transaction(() => {
    insert('user', { id: other.userId, created_at: now, username: 'somebody', password_hash: 'x', role: 'USER' });
    insert('session', { id: other.sessionId, created_at: now, user_id: other.userId, last_accessed_at: now });
    for (let first = 0; first < seed.restorations; first += ATTEMPTS_PER_PHOTO) {
      const whose = (first / ATTEMPTS_PER_PHOTO) % 20 === 19 ? other : owner;
      for (let n = first; n < Math.min(first + ATTEMPTS_PER_PHOTO, seed.restorations); n++) {
        // One a minute, the last one a minute ago.
        const at = now - (seed.restorations - n) * 60_000;
        const attempt = { ...whose, n, at, id: idAt(at, n), photoId: idAt(at - (n - first) * 60_000 - 1000, first) };
        if (n === first) addPhoto(insert, attempt);
        addRestoration(insert, attempt);
        if (seed.details && n >= seed.restorations * 0.95) addDetails(insert, attempt);
      }
    }
  })();
  database.close();
}

/** The data of a service that has been in use: the service makes the schema and a guest, the rows are written below it. */
export async function seedService(dataDir: string, seed: Seed): Promise<SeededService> {
  const service = await startService(dataDir, { LOG_LEVEL: 'silent', JWT_EXPIRES_IN: '7d' });
  const token = await guest(service.url).finally(() => service.stop());
  for (const file of [PHOTO_FILE, RESULT_FILE]) {
    await mkdir(dirname(join(dataDir, file)), { recursive: true });
    await copyFile(SAMPLE, join(dataDir, file));
  }
  const path = join(dataDir, 'heirloom.sqlite');
  const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { sub: string; sid: string };
  fill(path, { userId: claims.sub, sessionId: claims.sid }, seed);
  return { token, userId: claims.sub, sessionId: claims.sid, path };
}
