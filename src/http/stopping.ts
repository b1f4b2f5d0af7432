import { AppError } from '../errors.ts';

/** Seconds in which a service that is restarted is back as a rule. */
const BACK_SECONDS = 5;

/** For whatever comes once the service stops, on connections that are open already. */
export function shuttingDown(): AppError {
  return new AppError('SHUTTING_DOWN', 'The service is stopping. Try again in a moment.', { retryAfter: BACK_SECONDS });
}
