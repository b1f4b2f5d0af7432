import type { MigrationObject } from '@mikro-orm/core';
import Initial from './0001-initial.ts';

/** In the order they run; append only. */
export const MIGRATIONS: MigrationObject[] = [{ name: '0001-initial', class: Initial }];
