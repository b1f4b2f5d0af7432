import { defineEntity, p, type InferEntity } from '@mikro-orm/sqlite';
import { baseColumns } from '../db/columns.ts';
import type { Role } from '../db/context.ts';

/** An account; a guest is a user without a name and a password. */
export const UserEntity = defineEntity({
  name: 'User',
  tableName: 'user',
  properties: {
    ...baseColumns,
    /** Lower case; what a person types at login is folded the same way. */
    username: p.string().strictNullable().unique(),
    passwordHash: p.string().strictNullable(),
    role: p.string().$type<Role>(),
    disabledAt: p.datetime().strictNullable(),
  },
});
export type User = InferEntity<typeof UserEntity>;

/** One login or one guest visit; its id is in the token. */
export const SessionEntity = defineEntity({
  name: 'Session',
  tableName: 'session',
  properties: {
    ...baseColumns,
    userId: () => p.manyToOne(UserEntity).mapToPk().fieldName('user_id').deleteRule('cascade').index(false),
    /** Kept to the minute, so that reading costs no write. */
    lastAccessedAt: p.datetime(),
    userAgent: p.string().strictNullable(),
  },
  indexes: [{ properties: ['userId', 'id'] }, { properties: ['lastAccessedAt'] }],
});
export type Session = InferEntity<typeof SessionEntity>;
