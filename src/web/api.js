import { createSession } from './session.js';

const ENDPOINT = 'graphql';

/** A refusal of the service. The message is a sentence for people. */
export class ApiError extends Error {
  constructor(message, code, retryAfter) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

const unreachable = () => new ApiError('Heirloom cannot be reached. Is it running, and are you online?', 'NETWORK');

/** The data of an answer. @throws {ApiError} */
function dataOf(text) {
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new ApiError('The answer is not from Heirloom. Is there a proxy in between?', 'NETWORK');
  }
  const [error] = answer.errors ?? [];
  if (error) throw new ApiError(error.message, error.extensions?.code, error.extensions?.retryAfter);
  return answer.data;
}

async function post(document, variables, token) {
  let response;
  try {
    response = await fetch(ENDPOINT, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ query: document, variables }),
    });
  } catch {
    throw unreachable();
  }
  return dataOf(await response.text());
}

/** Only XMLHttpRequest says how much of a body has been sent. */
function send(form, token, { onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', ENDPOINT);
    request.setRequestHeader('Authorization', `Bearer ${token}`);
    request.upload.addEventListener('progress', ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0));
    request.addEventListener('error', () => reject(unreachable()));
    request.addEventListener('abort', () => reject(signal.reason));
    request.addEventListener('load', () => {
      try {
        resolve(dataOf(request.responseText));
      } catch (error) {
        reject(error);
      }
    });
    signal.addEventListener('abort', () => request.abort(), { once: true });
    if (signal.aborted) reject(signal.reason);
    else request.send(form);
  });
}

/** The API as this page uses it. */
export function createApi() {
  const session = createSession((document, token) => post(document, {}, token));

  /** An ended session becomes a new one, once. */
  async function authorised(attempt) {
    const token = await session.token();
    try {
      return await attempt(token);
    } catch (error) {
      if (error.code !== 'UNAUTHENTICATED') throw error;
      session.forget(token);
      return attempt(await session.token());
    }
  }

  return {
    session,
    /** One operation, as whoever this browser is. @throws {ApiError} */
    query: (document, variables = {}) => authorised((token) => post(document, variables, token)),
    /** One operation as nobody. @throws {ApiError} */
    ask: (document, variables = {}) => post(document, variables),
    /**
     * An operation with files, by the GraphQL multipart request specification
     * (https://github.com/jaydenseric/graphql-multipart-request-spec).
     *
     * @param {Record<string, File>} files by where they belong, e.g. `variables.file`.
     * @param {{ onProgress: (share: number) => void, signal: AbortSignal }} options share: 0 to 1 of the body.
     * @throws {ApiError}, or the reason of the signal.
     */
    upload(document, variables, files, options) {
      const paths = Object.keys(files);
      const form = new FormData();
      form.append('operations', JSON.stringify({ query: document, variables }));
      form.append('map', JSON.stringify(Object.fromEntries(paths.map((path, index) => [index, [path]]))));
      for (const [index, path] of paths.entries()) form.append(String(index), files[path]);
      return authorised((token) => send(form, token, options));
    },
    async signIn(username, password) {
      const document = `mutation ($input: LoginInput!) {
        login(input: $input) { token expiresAt user { username } }
      }`;
      session.keep((await post(document, { input: { username, password } })).login);
    },
    async signOut() {
      const token = await session.token();
      session.forget();
      await post('mutation { logout { sessionId } }', {}, token);
    },
  };
}

/** Links lead to this page's own server, whichever name it was reached by. */
export function sameOrigin(url) {
  const { pathname, search } = new URL(url, location.href);
  return pathname + search;
}
