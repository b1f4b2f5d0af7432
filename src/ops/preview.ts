import type { EntityManager } from '@mikro-orm/sqlite';
import { findIdle } from '../auth/idle.ts';
import { EXPIRED_KEYS, expiredKeys } from './cleanup.ts';
import type { Missing } from './missing.ts';
import type { SlowClock } from './slow-clock.ts';
import type { Sweep } from './sweep.ts';

export type PreviewKind =
  | 'guests'
  | 'guestFiles'
  | 'sessions'
  | 'temporaryFiles'
  | 'orphanFiles'
  | 'foreignFiles'
  | 'missingFiles'
  | 'idempotencyKeys';

/** One thing that a clean-up would come upon. */
export interface Preview {
  readonly kind: PreviewKind;
  /** A storage key, a file name or an id. */
  readonly name: string;
  /** Of a file. */
  readonly bytes: number;
}

const FILES_OF_USER = `select storage_key as name, bytes from photo where user_id = ?
  union all select storage_key, bytes from restoration where user_id = ? and storage_key is not null
  union all select m.storage_key, m.bytes from mask m join restoration r on r.id = m.restoration_id where r.user_id = ?
  union all select storage_key, bytes from rendition where owner_id in
    (select id from photo where user_id = ? union all select id from restoration where user_id = ?)`;

/** What a clean-up would do now, found by what it finds it by. Changes nothing. */
export async function* preview(
  deps: { fork: () => EntityManager; sweep: Sweep; missing: Missing; clock: SlowClock; idleHours: number },
  signal: AbortSignal,
): AsyncGenerator<Preview> {
  const { fork, sweep, missing, clock, idleHours } = deps;
  const { guests, sessions } = await findIdle(fork(), { idleHours, asOf: clock.now() });
  for (const name of guests) {
    signal.throwIfAborted();
    yield { kind: 'guests', name, bytes: 0 };
    const files = await fork().execute<{ name: string; bytes: number }[]>(FILES_OF_USER, [
      name,
      name,
      name,
      name,
      name,
    ]);
    for (const file of files) yield { kind: 'guestFiles', ...file };
  }
  for (const name of sessions) yield { kind: 'sessions', name, bytes: 0 };
  for await (const { kind, name, bytes } of sweep.find(signal)) {
    if (kind !== 'named') yield { kind, name, bytes };
  }
  for await (const { key } of missing.find(signal)) yield { kind: 'missingFiles', name: key, bytes: 0 };
  const keys = await fork().execute<{ id: string }[]>(`select id ${EXPIRED_KEYS}`, [expiredKeys(clock)]);
  for (const { id } of keys) yield { kind: 'idempotencyKeys', name: id, bytes: 0 };
}
