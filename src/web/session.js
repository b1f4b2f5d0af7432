const KEY = 'heirloom.session';
/** Before the end of a token, so that none runs out on its way. */
const SPARE_MS = 60_000;

function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

function write(session) {
  try {
    if (session === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, JSON.stringify(session));
  } catch {
    // A browser that keeps nothing still has this visit.
  }
}

/**
 * Who this browser is: the account that signed in, or a guest, started when one is needed.
 *
 * @param {(document: string, token?: string) => Promise<object>} ask one operation, answered with its data.
 */
export function createSession(ask) {
  let current = read();
  let starting = null;

  function keep({ token, expiresAt, user }) {
    const left = Date.parse(expiresAt) - Date.now();
    current = { token, expiresAt: Date.parse(expiresAt), renewAt: Date.now() + left / 2, name: user.username };
    write(current);
    return token;
  }

  async function start() {
    const fields = '{ token expiresAt user { username } }';
    if (current !== null && current.expiresAt - SPARE_MS > Date.now()) {
      try {
        return keep((await ask(`mutation { refreshSession ${fields} }`, current.token)).refreshSession);
      } catch (error) {
        if (error.code !== 'UNAUTHENTICATED') return current.token;
      }
    }
    forget();
    return keep((await ask(`mutation { startGuestSession ${fields} }`)).startGuestSession);
  }

  function forget() {
    current = null;
    write(null);
  }

  return {
    /** A token that is good for a while. */
    async token() {
      if (current !== null && Math.min(current.renewAt, current.expiresAt - SPARE_MS) > Date.now())
        return current.token;
      starting ??= start().finally(() => {
        starting = null;
      });
      return starting;
    },
    keep,
    /** The service does not know this token any more; the next one belongs to a new visit. */
    forget(token = current?.token) {
      if (current?.token === token) forget();
    },
    /** The name of the account; null for a guest, undefined for nobody yet. */
    name: () => current?.name,
  };
}
