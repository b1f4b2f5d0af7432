import { AppError } from '../errors.ts';

/** More than any operation has: its variables have 32 levels and 10,000 values. */
const DEPTH = 64;
const VALUES = 20_000;

/** The end of the string that begins at `start`; the end of the text for one that has none. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    at = text.indexOf('"', at);
    if (at === -1) return text.length;
    let escapes = at;
    while (text[escapes - 1] === '\\') escapes--;
    if ((at - escapes) % 2 === 0) return at;
  }
}

/**
 * Parses JSON that is not worth more than a millisecond or two: half a million nested brackets, or an object of fifty
 * thousand keys, take `JSON.parse` a hundred times as long as counting them does.
 *
 * @throws AppError BAD_USER_INPUT for too much, SyntaxError for what is no JSON.
 */
export function parseJson(text: string): unknown {
  for (let at = 0, depth = 0, values = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x22) at = endOfString(text, at);
    else if (char === 0x5b || char === 0x7b) depth++;
    else if (char === 0x5d || char === 0x7d) depth--;
    else if (char === 0x2c) values++;
    if (depth > DEPTH) throw new AppError('BAD_USER_INPUT', `JSON must not be nested more than ${DEPTH} levels deep.`);
    if (values > VALUES) throw new AppError('BAD_USER_INPUT', `JSON must not hold more than ${VALUES} values.`);
  }
  return JSON.parse(text);
}
