import type { GraphQLParams } from 'graphql-yoga';
import { AppError } from '../errors.ts';
import { parseJson } from './json.ts';

const INHERITED = new Set(['__proto__', 'constructor', 'prototype']);

const refused = (message: string) => new AppError('BAD_USER_INPUT', message);

function parse(name: string, text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw refused(`"${name}" is not JSON.`);
  }
  if (name === 'operations' && Array.isArray(value)) {
    throw refused('Batching is not supported. Send one operation.');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refused(`"${name}" must be an object.`);
  }
  return value as Record<string, unknown>;
}

/** @throws AppError BAD_USER_INPUT when the text is not a JSON object. */
export function readOperations(text: string): GraphQLParams {
  return parse('operations', text) as GraphQLParams;
}

/**
 * Where a path leads. Only to what the client itself has written as null, so neither to a prototype nor to a function:
 * `variables.toString.call` would take the whole process down.
 */
function placeOf(operations: GraphQLParams, path: string): { holder: Record<string, unknown>; key: string } {
  const keys = path.split('.');
  const key = keys.pop();
  let holder: unknown = operations;
  const isOwn = (name: string) =>
    typeof holder === 'object' && holder !== null && !INHERITED.has(name) && Object.hasOwn(holder, name);
  if (keys[0] !== 'variables' || key === undefined) throw refused('A path of "map" does not lead into the variables.');
  for (const name of keys) {
    if (!isOwn(name)) throw refused('A path of "map" is not in the variables.');
    holder = (holder as Record<string, unknown>)[name];
  }
  if (!isOwn(key)) throw refused('A path of "map" is not in the variables.');
  const place = { holder: holder as Record<string, unknown>, key };
  if (place.holder[key] !== null) throw refused('A path of "map" does not lead to a null.');
  return place;
}

/**
 * Checks a map against its operations, each path before anything follows it.
 *
 * @returns the paths by the name of their part.
 * @throws AppError BAD_USER_INPUT for a map that makes no sense, PAYLOAD_TOO_LARGE for one with too many files.
 */
export function checkMap(operations: GraphQLParams, map: string, maxFiles: number): Map<string, string> {
  const entries = Object.entries(parse('map', map));
  if (entries.length > maxFiles) {
    throw new AppError('PAYLOAD_TOO_LARGE', `The request has ${entries.length} files; the limit is ${maxFiles}.`);
  }
  const paths = new Map<string, string>();
  for (const [name, list] of entries) {
    const path: unknown = Array.isArray(list) && list.length === 1 ? list[0] : undefined;
    if (typeof path !== 'string') throw refused('Each file of "map" needs a list with exactly one path.');
    const { holder, key } = placeOf(operations, path);
    // Two files in one place: the second finds it taken.
    holder[key] = name;
    paths.set(name, path);
  }
  return paths;
}

/** Replaces what stands at a checked path. */
export function replaceAt(operations: GraphQLParams, path: string, replace: (value: unknown) => unknown): void {
  const keys = path.split('.');
  const key = keys.pop() ?? '';
  let holder = operations as Record<string, unknown>;
  for (const name of keys) holder = holder[name] as Record<string, unknown>;
  holder[key] = replace(holder[key]);
}
