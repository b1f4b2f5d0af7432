import { createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { writeContactSheet, sheetSide } from '../../imaging/contact-sheet.ts';
import { inspectHeader } from '../../imaging/inspect.ts';
import { STORED_LIMITS } from '../../imaging/limits.ts';
import { miniatureOf, type Miniature } from '../../imaging/miniature.ts';
import { configureSharp } from '../../imaging/sharp.ts';
import type { Client } from '../client.ts';
import { writeWhole } from '../outputs.ts';
import type { Done } from '../restore-photo.ts';
import { size } from '../size.ts';
import { maskPicture } from './mask.ts';
import { PAGE_END, pageEntry, pageHead } from './page.ts';
import type { ReportTarget } from './path.ts';

/** How one photo ended. */
export type ReportItem = { readonly photo: string } & (
  | { readonly done: Done; readonly failure?: never }
  | { readonly done?: never; readonly failure: string }
);

/** Pixels of a longest side by how many photos there are, so that a page of hundreds still opens. */
const SIDES = [
  [6, 1400],
  [40, 900],
  [Number.POSITIVE_INFINITY, 480],
] as const;

/** A small picture of a photo or a result; null where it is none, or has gone. */
async function pictureOf(
  path: string,
  format: string | undefined,
  side: number,
  signal: AbortSignal,
): Promise<Miniature | null> {
  try {
    const known = format ?? (await inspectHeader(path, STORED_LIMITS, { signal })).format;
    return await miniatureOf({ path, format: known }, side, signal);
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

async function picturesOf({ photo, done }: ReportItem, side: number, signal: AbortSignal) {
  const before = await pictureOf(photo, done?.stored.format, side, signal);
  const after = done === undefined ? null : await pictureOf(done.path, done.format, side, signal);
  return { before, after };
}

function describe(
  shape: { width: number | null; height: number | null },
  format: string,
  bytes: number | null,
): string {
  return [
    ...(shape.width === null ? [] : [`${shape.width} × ${shape.height}`]),
    format.toUpperCase(),
    ...(bytes === null ? [] : [size(bytes)]),
  ].join(', ');
}

async function factsOf({ photo, done }: ReportItem): Promise<(readonly [string, string])[]> {
  if (done === undefined) return [];
  const { restored, stored, outcome, format, path } = done;
  const photoBytes = await stat(photo).then(
    (found) => found.size,
    () => null,
  );
  return [
    ...(outcome === null ? [] : [['Model', outcome.model] as const]),
    ['Before', describe(stored, stored.format, photoBytes)],
    ['After', describe(restored, format, restored.bytes)],
    ...(restored.durationMs === null ? [] : [['Time', `${(restored.durationMs / 1000).toFixed(1)} s`] as const]),
    ['Result', path],
  ];
}

async function* pageOf(client: Client, items: readonly ReportItem[], signal: AbortSignal): AsyncGenerator<string> {
  const side = SIDES.find(([most]) => items.length <= most)?.[1] ?? 480;
  const good = items.filter(({ done }) => done !== undefined).length;
  const what = items.length === 1 ? '1 photo' : `${items.length} photos`;
  yield pageHead('Restored photos', `${what}, ${good} restored, ${new Date().toISOString().slice(0, 10)}`);
  for (const item of items) {
    const outcome = item.done?.outcome ?? null;
    yield pageEntry({
      name: item.photo,
      ...(await picturesOf(item, side, signal)),
      mask: await maskPicture(client, outcome?.mask ?? null, side, signal),
      facts: await factsOf(item),
      outcome,
      failure: item.failure ?? null,
    });
  }
  yield PAGE_END;
}

async function writeSheet(items: readonly ReportItem[], path: string, signal: AbortSignal): Promise<void> {
  const pairs = [];
  for (const item of items) pairs.push(await picturesOf(item, sheetSide(items.length), signal));
  await writeContactSheet(pairs, path, signal);
}

/**
 * Writes what came of each photo: a page that holds everything it shows, or one picture of all.
 *
 * @param client of the service that made the results, while their sessions are there.
 * @throws CliError when it cannot be written; the reason of `signal`. Nothing half-written stays behind.
 */
export async function writeReport(
  client: Client,
  { path, kind }: ReportTarget,
  items: readonly ReportItem[],
  settings: { force: boolean; signal: AbortSignal },
): Promise<void> {
  const { force, signal } = settings;
  configureSharp();
  await writeWhole(path, force, (temporary) =>
    kind === 'sheet'
      ? writeSheet(items, temporary, signal)
      : pipeline(Readable.from(pageOf(client, items, signal)), createWriteStream(temporary, { flags: 'wx' }), {
          signal,
        }),
  );
}
