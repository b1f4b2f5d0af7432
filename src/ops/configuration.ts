import type { Config } from '../config.ts';

/** The part of the configuration that everybody may know. */
export type Configuration = Pick<
  Config,
  | 'maxUploadBytes'
  | 'maxMegapixels'
  | 'maxSide'
  | 'maxOutputMegapixels'
  | 'maxConcurrentUploadsPerSession'
  | 'maxConcurrentPerSession'
  | 'maxQueuedPerSession'
  | 'allowGuests'
  | 'allowRegistration'
  | 'defaultModel'
  | 'allowedMimeTypes'
>;
