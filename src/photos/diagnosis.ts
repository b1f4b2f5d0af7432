import type { EntityManager } from '@mikro-orm/sqlite';
import type { ServiceContext } from '../db/context.ts';
import { newId } from '../db/ids.ts';
import { chunksOf, rowById, selectRows } from '../db/rows.ts';
import { AppError, type ErrorCode } from '../errors.ts';
import type { Events } from '../events/service.ts';
import { mostDecodingBytes } from '../imaging/decoding-bytes.ts';
import { fileQuality } from '../imaging/file-quality.ts';
import type { ImageFormat, ImageLimits } from '../imaging/limits.ts';
import { damageCoverage } from '../imaging/measure/coverage.ts';
import { survey } from '../imaging/measure/survey.ts';
import type { Measurements } from '../imaging/measure/measurements.ts';
import type { Nets } from '../imaging/nets.ts';
import type { StepReport } from '../imaging/report.ts';
import type { PixelPool } from '../imaging/pixels/pool.ts';
import type { Gate } from '../limits/gate.ts';
import type { Queue } from '../queue/queue.ts';
import type { Storage } from '../storage/storage.ts';
import { DiagnosisEntity, PhotoEntity, type Diagnosis, type DiagnosisData, type Photo } from './entity.ts';
import { findingsOf, summaryOf } from './findings.ts';

/** The kind of its jobs. */
export const DIAGNOSIS_JOB = 'diagnosis';

/** Bytes from which decoding is not done unasked a second time after the renditions: an AVIF of more than 21 megapixels. */
const HEAVY = 400e6;

/** Whether a photo is diagnosed as soon as it is there; one that is heavy to decode only when somebody asks. */
export function isDiagnosedAtOnce({ format, width, height }: Photo): boolean {
  return mostDecodingBytes({ format: format as ImageFormat, width, height }) <= HEAVY;
}

/** What another try does not mend. */
const FOR_GOOD: ReadonlySet<ErrorCode> = new Set(['CORRUPT_IMAGE', 'UNSUPPORTED_IMAGE', 'IMAGE_TOO_LARGE']);

const UNREADABLE: DiagnosisData = {
  findings: [],
  summary: 'This photo could not be measured: its file cannot be read.',
  recommended: [],
};

/** What is wrong with a photo: measured once, in the queue, and kept. */
export function createDiagnoses(deps: {
  storage: Storage;
  events: Events;
  queue: Queue;
  pixels: PixelPool;
  nets: Nets;
  decoding: Gate;
  limits: ImageLimits;
  /** What the model `auto` would do by these measurements: another one, set as DEFAULT_MODEL, may know no plan. */
  plan: (measurements: Measurements, nets: Nets) => readonly StepReport[];
  now: () => number;
}) {
  const { storage, events, queue, pixels, nets } = deps;

  async function diagnose(photo: Photo, signal: AbortSignal): Promise<DiagnosisData> {
    await using file = await storage.local(photo.storageKey);
    if (file === null) return UNREADABLE;
    const { format } = photo;
    const { measurements, whole } = await survey(file.path, format, {
      limits: deps.limits,
      signal,
      pixels,
      whenRoom: (bytes, decode) => deps.decoding.run(bytes, signal, decode),
      fileQuality: await fileQuality(file.path, format, signal),
    });
    const coverage = await damageCoverage(whole, { measurements, nets, pixels, signal });
    const findings = findingsOf(measurements, coverage);
    await nets.ready?.(['restore'], 'BALANCED');
    const steps = deps.plan(measurements, nets).filter(({ ran }) => ran);
    const recommended = steps.map(({ name, strength, reason }) => ({ name, strength, reason }));
    return { findings, summary: summaryOf(findings), recommended };
  }

  const isThere = async (em: EntityManager, photoId: string): Promise<boolean> =>
    (await diagnoses.of(em, [photoId])).length > 0;

  /** Nothing is written where the photo has gone meanwhile, or somebody was faster. */
  async function write(ctx: ServiceContext, photoId: string, data: DiagnosisData): Promise<void> {
    const event = await ctx.em.transactional(async (em) => {
      const photo = await rowById(em, PhotoEntity, photoId);
      if (photo === undefined || (await isThere(em, photoId))) return null;
      await em.insert(DiagnosisEntity, { id: newId(), createdAt: new Date(deps.now()), photoId, data });
      const { sessionId } = photo;
      return sessionId === null ? null : events.append(em, { kind: 'PHOTO_DIAGNOSED', sessionId, photoId });
    });
    if (event !== null) events.publish(event);
  }

  const diagnoses = {
    /** Of several photos at once; those that have one. */
    async of(em: EntityManager, photoIds: readonly string[]): Promise<Diagnosis[]> {
      const rows: Diagnosis[] = [];
      for (const ids of chunksOf(photoIds)) {
        const marks = ids.map(() => '?').join(', ');
        rows.push(...(await selectRows(em, DiagnosisEntity, `where t.photo_id in (${marks})`, ids)));
      }
      return rows;
    },

    /**
     * Has photos diagnosed that came in before there were diagnoses; once, however often it is asked for. The caller may see
     * them.
     */
    async request(ctx: ServiceContext, photoIds: readonly string[]): Promise<void> {
      for (const ids of chunksOf(photoIds)) {
        const marks = ids.map(() => '?').join(', ');
        const photos = await selectRows(
          ctx.em,
          PhotoEntity,
          `where t.id in (${marks}) and not exists (select 1 from job where kind = ? and ref_id = t.id)`,
          [...ids, DIAGNOSIS_JOB],
        );
        if (photos.length === 0) continue;
        await ctx.em.transactional(async (em) => {
          for (const { id: refId, sessionId, userId } of photos) {
            await queue.add(em, { kind: DIAGNOSIS_JOB, refId, groupId: sessionId ?? userId });
          }
        });
        queue.wake();
      }
    },

    /**
     * Works on one job: measures the photo and announces the diagnosis; a second time nothing is done. A file that is no picture any more
     * gets a diagnosis that says so. Throws what another try may mend, and the signal's reason.
     */
    async run(ctx: ServiceContext, photoId: string): Promise<void> {
      const photo = await rowById(ctx.em, PhotoEntity, photoId);
      if (photo === undefined || (await isThere(ctx.em, photoId))) return;
      const data = await diagnose(photo, ctx.signal).catch((error: unknown) => {
        if (!ctx.signal.aborted && error instanceof AppError && FOR_GOOD.has(error.code)) return UNREADABLE;
        throw error;
      });
      await write(ctx, photoId, data);
    },

    /** After the last try. */
    giveUp: (ctx: ServiceContext, photoId: string): Promise<void> => write(ctx, photoId, UNREADABLE),
  };
  return diagnoses;
}

export type Diagnoses = ReturnType<typeof createDiagnoses>;
