import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AppError, isAbortError, type ErrorCode } from '../errors.ts';
import { DECODE_SECONDS, type ImageLimits } from './limits.ts';

const CHILD = fileURLToPath(new URL('./second-opinion-child.ts', import.meta.url));
/** What it does at most: twice the whole picture, with and without warnings, and its tiles; and a start. */
const SECONDS = 3 * DECODE_SECONDS + 10;

/** What the process answers on one line of JSON; null = the picture is taken. */
export type Opinion = { readonly code: ErrorCode; readonly message: string; readonly words: string } | null;

/**
 * Has a picture judged in a fresh process, where nobody else's warnings are heard; about a quarter of a second and 70 MB.
 *
 * @throws AppError as `inspectImage` does; what a decoder ended or a process that did not start say, as an Error; the signal's reason.
 */
export async function secondOpinion(path: string, limits: ImageLimits, signal?: AbortSignal): Promise<void> {
  const answer = await new Promise<string>((resolve, reject) => {
    execFile(
      process.execPath,
      ['--no-warnings', CHILD, path, JSON.stringify(limits)],
      // Nothing of the service's environment: no secret in it is any business of a decoder's.
      { env: {}, timeout: SECONDS * 1000, killSignal: 'SIGKILL', ...(signal === undefined ? {} : { signal }) },
      (error, stdout) => {
        if (error === null) resolve(stdout);
        else if (isAbortError(error)) reject((signal?.reason as Error | undefined) ?? error);
        else reject(new Error(`The decoder ended the process that looked again: ${error.message}`, { cause: error }));
      },
    );
  });
  const opinion = JSON.parse(answer) as Opinion;
  if (opinion === null) return;
  throw new AppError(opinion.code, opinion.message, { cause: new Error(opinion.words) });
}
