import { CANARY_ENV } from './canaries.ts';
import { WITHOUT_NETS } from './without-nets.ts';

/** What every service under test is started with: a free port, secrets that must not be seen again, no waiting before a second try. */
export const SERVICE_ENV = { PORT: '0', RETRY_DELAY_SECONDS: '0', ...CANARY_ENV, ...WITHOUT_NETS } as const;
