import { AppError } from '../errors.ts';
import { USERNAME } from '../variables.ts';

const PASSWORD_MIN = 8;
const PASSWORD_MAX = 200;

/** The one form of a user name that is stored and compared: NFKC, lower case. */
export function foldUsername(username: string): string {
  return username.normalize('NFKC').toLowerCase().normalize('NFKC');
}

/**
 * A user name that may be stored, folded.
 *
 * @throws AppError BAD_USER_INPUT unless it has 3 to 64 letters, digits or `. _ - @`.
 */
export function checkUsername(username: string): string {
  const folded = foldUsername(username);
  if (!USERNAME.test(folded)) {
    throw new AppError(
      'BAD_USER_INPUT',
      'A user name has 3 to 64 characters: letters, digits, dot, underscore, hyphen and @.',
      { field: 'input.username' },
    );
  }
  return folded;
}

/**
 * Length is all that is asked of a password (NIST SP 800-63B, section 5.1.1.2).
 *
 * @param field the argument to name in the error.
 * @throws AppError BAD_USER_INPUT unless it has 8 to 200 characters.
 */
export function checkPassword(password: string, field: string): void {
  const length = [...password.normalize('NFKC')].length;
  if (length >= PASSWORD_MIN && length <= PASSWORD_MAX) return;
  throw new AppError('BAD_USER_INPUT', `A password has ${PASSWORD_MIN} to ${PASSWORD_MAX} characters.`, { field });
}
