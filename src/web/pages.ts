import { readdirSync, readFileSync } from 'node:fs';
import type { OutgoingHttpHeaders } from 'node:http';
import { extname } from 'node:path';

/** Stricter than what GraphiQL needs: nothing inline, nothing from elsewhere. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
};

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

/** The page at `/`, and under `/web/` the scripts and styles it is made of, as they lie beside this file. */
export const PAGES: Readonly<Record<string, { body: string; headers: OutgoingHttpHeaders }>> = Object.fromEntries([
  ['/', { body: read('./index.html'), headers: { 'Content-Security-Policy': POLICY } }],
  ...readdirSync(new URL('.', import.meta.url))
    .filter((name) => extname(name) in TYPES)
    .map((name) => [`/web/${name}`, { body: read(`./${name}`), headers: { 'Content-Type': TYPES[extname(name)] } }]),
]);
