import type { Services } from '../services.ts';
import type { ServiceContext } from '../db/context.ts';

/** What every resolver gets: the context of the request, and the services that the composition root has built. */
export interface GraphQLContext extends ServiceContext {
  readonly services: Services;
  /** What links to files start with, e.g. `https://photos.example.org`; no slash at the end. */
  readonly baseUrl: string;
}
