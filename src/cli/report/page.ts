import type { Miniature } from '../../imaging/miniature.ts';
import type { Outcome } from './outcome.ts';

/** One photo in a report. */
export interface ReportEntry {
  /** As it was named. */
  readonly name: string;
  readonly before: Miniature | null;
  readonly after: Miniature | null;
  /** White where damage was repaired. */
  readonly mask: Miniature | null;
  /** What there is to say in pairs: what, and how much. */
  readonly facts: readonly (readonly [string, string])[];
  readonly outcome: Outcome | null;
  /** Why there is no result. */
  readonly failure: string | null;
}

const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
/** What would turn the text around it, or is none. */
const HIDDEN = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

export function escapeHtml(text: string): string {
  return text.replace(HIDDEN, '\ufffd').replace(/[&<>"']/g, (found) => ESCAPES[found] ?? '');
}

const STYLE = `
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 24px; font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0; }
header p { margin: 4px 0 0; opacity: .75; }
article { border-top: 1px solid var(--line); margin-top: 32px; padding-top: 20px; break-inside: avoid; }
h2 { font-size: 1.15rem; margin: 0 0 12px; overflow-wrap: anywhere; }
.pictures { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); }
.wide { grid-template-columns: 1fr; }
figure { margin: 0; }
img { display: block; width: 100%; height: auto; max-height: 85vh; object-fit: contain; background: var(--soft); }
figcaption { font-size: .85rem; margin-top: 4px; opacity: .75; }
.nothing { align-items: center; aspect-ratio: 4 / 3; background: var(--soft); display: flex; justify-content: center; padding: 16px; text-align: center; }
dl { display: flex; flex-wrap: wrap; gap: 4px 28px; margin: 14px 0 0; }
dl div { display: flex; gap: 8px; }
dt { opacity: .7; }
dd { margin: 0; overflow-wrap: anywhere; }
ul { list-style: none; margin: 12px 0 0; padding: 0; }
li { padding: 3px 0; }
.step { display: inline-block; font-weight: 600; min-width: 6em; }
.not .step { font-weight: 400; }
.not { opacity: .7; }
.verdict { border-left: 3px solid var(--line); margin: 12px 0 0; padding-left: 10px; }
.failure { color: var(--bad); margin: 12px 0 0; }
@media print { body { max-width: none; padding: 0; } img { max-height: 40vh; } }`;

/** The beginning of a page that needs nothing but itself: no script, no other file. */
export function pageHead(title: string, subtitle: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>${escapeHtml(title)}</title>
<style>${STYLE}
</style>
</head>
<body>
<header><h1>${escapeHtml(title)}</h1><p>${escapeHtml(subtitle)}</p></header>
`;
}

export const PAGE_END = '</body>\n</html>\n';

/** Panoramas stand one below the other. */
const WIDE = 2.4;

function figure(picture: Miniature | null, caption: string, alt: string): string {
  if (picture === null) return '';
  const { bytes, width, height } = picture;
  const source = `data:image/jpeg;base64,${bytes.toString('base64')}`;
  return `<figure><img src="${source}" width="${width}" height="${height}" alt="${escapeHtml(alt)}"><figcaption>${caption}</figcaption></figure>\n`;
}

function steps({ steps: all, verdict }: Outcome): string {
  const rows = all.map(({ name, ran, strength, reason }) => {
    const how = ran && strength < 1 ? ` (strength ${Number(strength.toFixed(2))})` : '';
    return `<li${ran ? '' : ' class="not"'}><span class="step">${ran ? '✓' : '–'} ${escapeHtml(name)}</span> ${escapeHtml(reason)}${how}</li>`;
  });
  const list = rows.length === 0 ? '' : `<ul>\n${rows.join('\n')}\n</ul>\n`;
  return verdict === null ? list : `${list}<p class="verdict">${escapeHtml(verdict)}</p>\n`;
}

/** One photo of the page. */
export function pageEntry({ name, before, after, mask, facts, outcome, failure }: ReportEntry): string {
  const one = before ?? after;
  const wide = one !== null && one.width / one.height > WIDE;
  const pictures = [
    figure(before, 'Before', `${name} before`),
    figure(after, 'After', `${name} after`),
    figure(mask, 'Repaired where it is white', `Mask of ${name}`),
  ].join('');
  const list = facts.map(([what, value]) => `<div><dt>${escapeHtml(what)}</dt><dd>${escapeHtml(value)}</dd></div>`);
  return `<article>
<h2>${escapeHtml(name)}</h2>
${pictures === '' ? '' : `<div class="pictures${wide ? ' wide' : ''}">\n${pictures}</div>\n`}${failure === null ? '' : `<p class="failure">Not restored: ${escapeHtml(failure)}</p>\n`}${list.length === 0 ? '' : `<dl>${list.join('')}</dl>\n`}${outcome === null ? '' : steps(outcome)}</article>
`;
}
