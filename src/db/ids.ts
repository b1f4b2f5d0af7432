import { v7, validate } from 'uuid';

/** A new UUID v7 (RFC 9562): ids sort by the time they were made. */
export function newId(): string {
  return v7();
}

/** True for anything that reads as a UUID; checked before an id reaches a query or a path. */
export function isId(value: string): boolean {
  return validate(value);
}

/**
 * The smallest UUID v7 of a moment: rows made at or after it have an id greater or equal. Turns a time filter into a
 * range of the primary key.
 */
export function firstIdAt(time: Date): string {
  const hex = Math.max(0, time.getTime()).toString(16).padStart(12, '0').slice(-12);
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`;
}
