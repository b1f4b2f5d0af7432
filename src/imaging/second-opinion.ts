import { execFile, type ExecFileException } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AppError, isAbortError, type ErrorCode } from '../errors.ts';
import { DECODE_SECONDS, type ImageLimits } from './limits.ts';
import { tooLarge } from './refusals.ts';

const CHILD = fileURLToPath(new URL('./second-opinion-child.ts', import.meta.url));
/** One picture has so long, and the process as long again for its start on a busy machine. */
const SECONDS = 2 * DECODE_SECONDS;

/** What the process answers on one line of JSON; null = the picture is taken. */
export type Opinion = { readonly code: ErrorCode; readonly message: string; readonly words: string } | null;

/**
 * Has a picture judged in a fresh process, where nobody else's warnings are heard; about a quarter of a second and 70 MB.
 *
 * @throws AppError as `inspectImage` does, and INTERNAL_SERVER_ERROR where the process cannot be started; an Error where the decoder
 *   ended it; the signal's reason.
 */
export async function secondOpinion(path: string, limits: ImageLimits, signal?: AbortSignal): Promise<void> {
  const answer = await new Promise<string>((resolve, reject) => {
    execFile(
      process.execPath,
      ['--no-warnings', CHILD, path, JSON.stringify(limits)],
      // Nothing of the service's environment: no secret in it is any business of a decoder's.
      { env: {}, timeout: SECONDS * 1000, killSignal: 'SIGKILL', ...(signal === undefined ? {} : { signal }) },
      (error, stdout) => (error === null ? resolve(stdout) : reject(reasonOf(error, signal))),
    );
  });
  const opinion = JSON.parse(answer) as Opinion;
  if (opinion === null) return;
  throw new AppError(opinion.code, opinion.message, { cause: new Error(opinion.words) });
}

/** The picture's fault, or the machine's. */
function reasonOf(error: ExecFileException, signal: AbortSignal | undefined): unknown {
  if (isAbortError(error)) return signal?.reason ?? error;
  if (error.killed === true) {
    return tooLarge('This picture takes too long to decode. Save it again in a simpler way and retry.', error);
  }
  // A decoder that brings its process down: whatever the file is, nobody should have to read it.
  if (error.signal != null) return new Error(`The decoder ended its process with ${error.signal}.`);
  return new AppError('INTERNAL_SERVER_ERROR', 'The picture could not be looked at just now. Send it again.', {
    cause: error,
  });
}
