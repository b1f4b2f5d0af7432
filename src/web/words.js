const STAGES = {
  PREPARING: 'Looking at the photo',
  REPAIRING: 'Filling scratches and dust',
  DENOISING: 'Removing grain',
  COLOURING: 'Bringing back tone and colour',
  FACES: 'Restoring faces',
  UPSCALING: 'Making it larger',
  FINISHING: 'Saving the result',
  UPLOADING: 'Sending it to the provider',
  WAITING_FOR_PROVIDER: 'Waiting for the provider',
};

const STEPS = {
  repair: 'Scratches and dust',
  denoise: 'Grain',
  tone: 'Tone and colour',
  sharpen: 'Sharpness',
  upscale: 'Size',
};

const STATUSES = {
  QUEUED: 'Waiting for its turn',
  RUNNING: 'Being restored',
  SUCCEEDED: 'Restored',
  FAILED: 'Failed',
  CANCELLED: 'Cancelled',
};

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** What is being done, for people. */
export function stageInWords({ status, stage }) {
  return status === 'RUNNING' ? (STAGES[stage] ?? 'Working on it') : statusInWords(status);
}

export function statusInWords(status) {
  return STATUSES[status] ?? status;
}

/** The name of a step of the report; a step that is not known here shows its own. */
export function stepInWords(name) {
  return STEPS[name] ?? name.charAt(0).toUpperCase() + name.slice(1).replaceAll(/[-_]/g, ' ');
}

export function percentInWords(percent) {
  return `${Math.floor(percent)} %`;
}

/** @param {number | null} seconds until the end. */
export function etaInWords(seconds) {
  if (seconds === null || seconds === undefined) return '';
  if (seconds < 2) return 'nearly done';
  if (seconds < 90) return `about ${Math.round(seconds)} seconds left`;
  return `about ${Math.round(seconds / 60)} minutes left`;
}

export function durationInWords(ms) {
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60_000)} min`;
}

/** Powers of ten, as the limits of the service are. */
export function bytesInWords(bytes) {
  const amount = Number(bytes);
  if (amount < 1e6) return `${Math.max(1, Math.round(amount / 1e3))} kB`;
  return `${Number((amount / 1e6).toFixed(1))} MB`;
}

/** @param {string} type e.g. `image/webp`. */
export function formatInWords(type) {
  const name = type.replace('image/', '');
  return name === 'webp' ? 'WebP' : name.toUpperCase();
}

export function dateInWords(iso) {
  return moment.format(new Date(iso));
}
