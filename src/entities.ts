import { SessionEntity, UserEntity } from './auth/entity.ts';
import { EventEntity } from './events/entity.ts';
import { DiagnosisEntity, PhotoEntity, RenditionEntity } from './photos/entity.ts';
import { JobEntity } from './queue/entity.ts';
import { MaskEntity, RestorationEntity, RunEntity, SubmissionEntity } from './restorations/entity.ts';

/** Every table of the database. */
export const ENTITIES = [
  UserEntity,
  SessionEntity,
  PhotoEntity,
  DiagnosisEntity,
  RenditionEntity,
  EventEntity,
  JobEntity,
  RestorationEntity,
  MaskEntity,
  RunEntity,
  SubmissionEntity,
];
