import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  lexicographicSortSchema,
  printSchema,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { ENTITIES } from '../src/app.ts';
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

describe('the migrations', () => {
  it('lead from nothing to the schema of the code', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'heirloom-migrate-'));
    const path = join(folder, 'db.sqlite');
    const database = await openDatabase({ path, entities: ENTITIES });
    try {
      await migrate(database, path, createLog('silent'));
      expect(await database.orm.schema.getUpdateSchemaSQL({ wrap: false })).toBe('');
      await expect(migrate(database, path, createLog('silent'))).resolves.toBeUndefined();
    } finally {
      await database.close();
      await rm(folder, { recursive: true });
    }
  });
});
