import type { MigrationObject } from '@mikro-orm/core';
import Initial from './0001-initial.ts';
import JobsByKind from './0002-jobs-by-kind.ts';
import Diagnosis from './0003-diagnosis.ts';
import Masks from './0004-masks.ts';

/** In the order they run; append only. */
export const MIGRATIONS: MigrationObject[] = [
  { name: '0001-initial', class: Initial },
  { name: '0002-jobs-by-kind', class: JobsByKind },
  { name: '0003-diagnosis', class: Diagnosis },
  { name: '0004-masks', class: Masks },
];
