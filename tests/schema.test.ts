import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Migration } from '@mikro-orm/migrations';
import {
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  lexicographicSortSchema,
  printSchema,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { ENTITIES } from '../src/entities.ts';
import { UserEntity } from '../src/auth/entity.ts';
import { newId } from '../src/db/ids.ts';
import { MIGRATIONS } from '../src/db/migrations/index.ts';
import { migrate, openDatabase } from '../src/db/orm.ts';
import { createLog } from '../src/log.ts';
import { schema } from '../src/schema.ts';

describe('the schema', () => {
  it('is what schema.graphql says', async () => {
    expect(await readFile('schema.graphql', 'utf8')).toBe(`${printSchema(lexicographicSortSchema(schema))}\n`);
  });

  it('describes every type, field, argument and enum value', () => {
    const bare: string[] = [];
    const look = (name: string, thing: { description?: string | null | undefined }): void => {
      if (!thing.description) bare.push(name);
    };
    for (const type of Object.values(schema.getTypeMap())) {
      if (type.name.startsWith('__')) continue;
      look(type.name, type);
      if (isEnumType(type)) for (const value of type.getValues()) look(`${type.name}.${value.name}`, value);
      if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) continue;
      for (const field of Object.values(type.getFields())) {
        look(`${type.name}.${field.name}`, field);
        if ('args' in field) for (const arg of field.args) look(`${type.name}.${field.name}(${arg.name})`, arg);
      }
    }
    expect(bare).toEqual([]);
  });
});

class AddNote extends Migration {
  override up(): void {
    this.addSql('alter table "user" add column "note" text null');
  }
}

describe('the migrations', () => {
  async function inFolder<T>(work: (path: string) => Promise<T>): Promise<T> {
    const folder = await mkdtemp(join(tmpdir(), 'heirloom-migrate-'));
    try {
      return await work(join(folder, 'db.sqlite'));
    } finally {
      await rm(folder, { recursive: true });
    }
  }
  const log = createLog('silent');

  it('lead from nothing to the schema of the code, and copy nothing then', () =>
    inFolder(async (path) => {
      const database = await openDatabase({ path, entities: ENTITIES });
      await migrate(database, path, log);
      expect(await database.orm.schema.getUpdateSchemaSQL({ wrap: false })).toBe('');
      await migrate(database, path, log);
      await database.close();
      expect((await readdir(dirname(path))).filter((name) => name.includes('before'))).toEqual([]);
    }));

  it('lay a copy of the database beside it before they change it', () =>
    inFolder(async (path) => {
      const first = await openDatabase({ path, entities: ENTITIES });
      await migrate(first, path, log);
      const em = first.fork();
      await em.insert(UserEntity, {
        id: newId(),
        createdAt: new Date(),
        username: 'ada',
        passwordHash: null,
        role: 'USER',
        disabledAt: null,
      });
      await first.close();

      const migrations = [...MIGRATIONS, { name: '9999-note', class: AddNote }];
      const second = await openDatabase({ path, entities: ENTITIES, migrations });
      await migrate(second, path, log);
      await expect(second.fork().execute('select username, note from user')).resolves.toEqual([
        { username: 'ada', note: null },
      ]);
      await second.close();

      const copy = await openDatabase({ path: `${path}.before-9999-note`, entities: ENTITIES });
      await expect(copy.fork().execute('select username from user')).resolves.toEqual([{ username: 'ada' }]);
      await expect(copy.fork().execute('select note from user')).rejects.toThrow('note');
      await copy.close();
    }));
});
