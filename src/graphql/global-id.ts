import { isId } from '../db/ids.ts';

const NONE = { typename: '', id: '' };

/** Base64 of `Type:uuid` (Relay's global object identification), or empty strings for anything else. */
export function decodeGlobalId(globalId: string): { typename: string; id: string } {
  if (globalId.length > 128) return NONE;
  const [typename, id, ...rest] = Buffer.from(globalId, 'base64').toString('utf8').split(':');
  if (typename === undefined || id === undefined || rest.length > 0 || !/^[A-Za-z]+$/.test(typename)) return NONE;
  return { typename, id };
}

export function encodeGlobalId(typename: string, id: string): string {
  return btoa(`${typename}:${id}`);
}

/**
 * The row id in a global id of this type; null when it is malformed or of another type. Callers treat null like a row
 * that does not exist, so a guessed id learns nothing.
 */
export function localId(typename: string, globalId: string): string | null {
  const decoded = decodeGlobalId(globalId);
  return decoded.typename === typename && isId(decoded.id) ? decoded.id.toLowerCase() : null;
}
