import { readFileSync } from 'node:fs';

/** Pages by path. */
export const PAGES = { '/': { html: readFileSync(new URL('./index.html', import.meta.url), 'utf8') } };
