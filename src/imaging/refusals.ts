import { AppError } from '../errors.ts';

/** Starts like an image but is cut or damaged. */
export function corrupt(message: string, cause?: unknown): AppError {
  return new AppError('CORRUPT_IMAGE', message, cause === undefined ? {} : { cause });
}

/** Not a picture that is taken here; the message says what would be. */
export function unsupported(message: string, cause?: unknown): AppError {
  return new AppError('UNSUPPORTED_IMAGE', message, cause === undefined ? {} : { cause });
}

/** More pixels, frames or bytes than allowed. */
export function tooLarge(message: string, cause?: unknown): AppError {
  return new AppError('IMAGE_TOO_LARGE', message, cause === undefined ? {} : { cause });
}

/** A cut or damaged file, in the words used wherever one is found. */
export function damaged(label: string, cause?: unknown): AppError {
  return corrupt(`This ${label} file is cut or damaged. Upload the complete file again.`, cause);
}
