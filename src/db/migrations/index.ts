import type { MigrationObject } from '@mikro-orm/core';
import Initial from './0001-initial.ts';
import JobsByKind from './0002-jobs-by-kind.ts';

/** In the order they run; append only. */
export const MIGRATIONS: MigrationObject[] = [
  { name: '0001-initial', class: Initial },
  { name: '0002-jobs-by-kind', class: JobsByKind },
];
