import type { EntityManager } from '@mikro-orm/sqlite';
import type { Config } from '../config.ts';
import type { Limiter } from '../limits/limiter.ts';
import type { Log } from '../log.ts';
import { createAccount } from './account.ts';
import { createAttempts } from './attempts.ts';
import { createAuthenticate } from './authenticate.ts';
import { createEndings, type EndingsDeps } from './endings.ts';
import { createIdentities } from './identities.ts';
import { createIdle } from './idle.ts';
import type { Passwords } from './passwords.ts';
import { createSessions } from './sessions.ts';
import { createSignIn } from './sign-in.ts';
import type { TokenIssuer } from './tokens.ts';
import { createUsers } from './users.ts';

export interface AuthDeps extends Pick<EndingsDeps, 'eraseUserData' | 'eraseSessionData' | 'onSessionEnded'> {
  tokens: TokenIssuer;
  passwords: Passwords;
  limiter: Limiter;
  config: Pick<Config, 'allowGuests' | 'allowRegistration' | 'loginAttemptsPerMinute' | 'mode'>;
  log: Log;
  /** A fresh unit of work for `authenticate`, which has no request of its own yet. */
  fork(): EntityManager;
  /** Milliseconds since 1970. Default `Date.now`. */
  now?: () => number;
}

/** Accounts, guests and sessions. */
export function createAuth(deps: AuthDeps) {
  const { config, log, passwords, tokens, now = Date.now } = deps;
  const fork = (): EntityManager => deps.fork();
  const identities = createIdentities({ fork, now });
  const endings = createEndings({ ...deps, identities, now });
  const attempts = createAttempts({
    limiter: deps.limiter,
    perMinute: config.loginAttemptsPerMinute,
    limitSignUps: config.mode === 'production',
  });
  const sessions = createSessions({ tokens, endings, now });
  const signIn = createSignIn({ attempts, config, identities, now, passwords, sessions });
  const account = createAccount({ attempts, endings, passwords });
  const { endIdleSessions } = createIdle({ endings, now, log });

  return {
    ...signIn,
    ...account,
    authenticate: createAuthenticate({ tokens, identities, fork, log, now }),
    /** Which of these sessions no longer count; one query for all of them. */
    endedSessions: identities.ended,
    sessions: sessions.list,
    session: sessions.find,
    logout: sessions.logout,
    deleteSession: sessions.remove,
    endIdleSessions,
    /** For administrators and the command line. */
    users: createUsers({ endings, passwords, now }),
  };
}

export type Auth = ReturnType<typeof createAuth>;
