import type { GraphQLParams } from 'graphql-yoga';
import { AppError } from '../errors.ts';
import type { IncomingFile } from '../storage/spool.ts';

export interface FilePlace {
  taken: boolean;
  resolve(file: IncomingFile): void;
  reject(error: AppError): void;
}

/** By the name of the part. */
export type FilePlaces = Map<string, FilePlace>;

const INHERITED = new Set(['__proto__', 'constructor', 'prototype']);

const refused = (message: string) => new AppError('BAD_USER_INPUT', message);

function parse(name: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refused(`"${name}" is not JSON.`);
  }
  if (name === 'operations' && Array.isArray(value)) {
    throw refused('Batching is not supported. Send one operation.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refused(`"${name}" must be an object.`);
  return value as Record<string, unknown>;
}

/** @throws AppError BAD_USER_INPUT when the text is not a JSON object. */
export function readOperations(text: string): GraphQLParams {
  return parse('operations', text) as GraphQLParams;
}

/**
 * Sets a value deep in the variables. Only what the client itself has written as null is replaced, so a path leads
 * neither to a prototype nor to a function: `variables.toString.call` would take the whole process down.
 */
function replaceNull(operations: GraphQLParams, path: string, value: unknown): void {
  const keys = path.split('.');
  const last = keys.pop();
  let holder: unknown = operations;
  const isOwn = (key: string) =>
    typeof holder === 'object' && holder !== null && !INHERITED.has(key) && Object.hasOwn(holder, key);
  if (keys[0] !== 'variables' || last === undefined) throw refused('A path of "map" does not lead into the variables.');
  for (const key of keys) {
    if (!isOwn(key)) throw refused('A path of "map" is not in the variables.');
    holder = (holder as Record<string, unknown>)[key];
  }
  if (!isOwn(last)) throw refused('A path of "map" is not in the variables.');
  const target = holder as Record<string, unknown>;
  if (target[last] !== null) throw refused('A path of "map" does not lead to a null.');
  target[last] = value;
}

/**
 * Puts a promise into `operations` for each file of the map.
 *
 * @throws AppError BAD_USER_INPUT for a map that makes no sense, PAYLOAD_TOO_LARGE for one with too many files.
 */
export function placeFiles(operations: GraphQLParams, map: string, maxFiles: number): FilePlaces {
  const entries = Object.entries(parse('map', map));
  if (entries.length > maxFiles) {
    throw new AppError('PAYLOAD_TOO_LARGE', `The request has ${entries.length} files; the limit is ${maxFiles}.`);
  }
  const places: FilePlaces = new Map();
  for (const [name, paths] of entries) {
    if (!Array.isArray(paths) || paths.length !== 1 || typeof paths[0] !== 'string') {
      throw refused('Each file of "map" needs a list with exactly one path.');
    }
    const { promise, resolve, reject } = Promise.withResolvers<IncomingFile>();
    // Whether a resolver ever asks for it is up to the query.
    promise.catch(() => {});
    replaceNull(operations, paths[0], promise);
    places.set(name, { taken: false, resolve, reject });
  }
  return places;
}
