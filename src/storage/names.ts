/** Bytes that a stored name may have; the id before it and the folder above it come on top. */
const STORED_BYTES = 100;
/** What file systems and mail programs take. */
const SHOWN_BYTES = 255;
const FALLBACK = 'photo';

/** Lone surrogates, control characters, line separators, and what changes the direction of the text around it. */
const NEVER_SHOWN = /[\p{Cs}\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu;
/** Names that Windows takes for devices, whatever extension follows. */
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\.|$)/i;

function lastPart(path: string): string {
  return path.split(/[/\\]/).findLast((part) => part !== '' && !/^\.+$/.test(part)) ?? '';
}

function cut(text: string, bytes: number): string {
  let room = bytes;
  let end = 0;
  for (const character of text) {
    room -= Buffer.byteLength(character);
    if (room < 0) break;
    end += character.length;
  }
  return text.slice(0, end);
}

/** Shortens a name from the middle, so that its extension stays. */
function shorten(name: string, bytes: number): string {
  if (Buffer.byteLength(name) <= bytes) return name;
  const extension = /\.[A-Za-z0-9]{1,8}$/.exec(name)?.[0] ?? '';
  const stem = name.slice(0, name.length - extension.length);
  return cut(stem, bytes - extension.length).replace(/[\s._-]+$/, '') + extension;
}

/**
 * A file name for showing and for downloads: NFC, without folders, control and direction characters, and of at most
 * 255 bytes; `photo` when nothing is left.
 */
export function displayFilename(original: string): string {
  const name = lastPart(original.replace(NEVER_SHOWN, '')).normalize('NFC').trim();
  return shorten(name, SHOWN_BYTES) || FALLBACK;
}

/**
 * A file name for the disk, behind an id of ours: NFC letters and digits of any script and `.`, `_`, `-`; at most 100
 * bytes; never empty, hidden, an option of a command or the name of a Windows device.
 */
export function safeFilename(original: string): string {
  const plain = lastPart(original.replace(NEVER_SHOWN, ''))
    .normalize('NFC')
    .replace(/[^\p{L}\p{M}\p{Nd}._-]+/gu, '_')
    .replace(/\.{2,}/g, '.')
    .replace(/^_(?=\.)/, FALLBACK)
    .replace(/^[\p{M}._-]+/u, '')
    .replace(/[._-]+$/, '');
  const name = DEVICE.test(plain) ? `${FALLBACK}_${plain}` : plain;
  return shorten(name, STORED_BYTES) || FALLBACK;
}
