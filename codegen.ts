/**
 * Writes everything that follows from the code: `schema.graphql`, `.env.example`, the README's table of variables, the types of the clients' documents,
 * and with `--migration NAME` the next migration. `--check` writes nothing and fails when something is not current.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { generate as generateTypes } from '@graphql-codegen/cli';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/sqlite';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { ENTITIES } from './src/entities.ts';
import { configurationTable, envExample } from './src/config.ts';
import { MIGRATIONS } from './src/db/migrations/index.ts';
import { schema } from './src/schema.ts';

const { values: options } = parseArgs({
  options: { check: { type: 'boolean', default: false }, migration: { type: 'string' } },
});

/** Clients of the schema: the folder of the generated types, and where their documents stand. */
const CLIENTS: Record<string, string[]> = {
  'src/cli/generated/': ['src/cli/documents.ts'],
};

/** The types of scalars as JSON carries them. */
const SCALARS = {
  BigInt: 'number',
  DateTime: 'string',
  ID: 'string',
  JSONObject: 'Record<string, unknown>',
  NonNegativeInt: 'number',
  Upload: 'null',
  URL: 'string',
};

/** Typed documents for every client, by path: plain strings to send, with types that are stripped. */
async function typedDocuments(sdl: string): Promise<[path: string, text: string][]> {
  const settings = {
    presetConfig: { fragmentMasking: false },
    config: { documentMode: 'string', enumsAsTypes: true, useTypeImports: true, scalars: SCALARS },
  };
  const outputs: { filename: string; content: string }[] = await generateTypes(
    {
      schema: sdl,
      generates: Object.fromEntries(
        Object.entries(CLIENTS).map(([folder, documents]) => [folder, { preset: 'client', documents, ...settings }]),
      ),
      importExtension: '.ts',
      silent: true,
    },
    false,
  );
  return outputs.map(({ filename, content }) => [filename, content]);
}

/** The README with its table of variables. */
async function readme(): Promise<string> {
  const marked = /(<!-- configuration -->\n)[^]*(<!-- \/configuration -->)/;
  return (await current('README.md')).replace(marked, (_all, start, end) => `${start}${configurationTable()}\n${end}`);
}

async function files(): Promise<[path: string, text: string][]> {
  const sdl = `${printSchema(lexicographicSortSchema(schema))}\n`;
  return [
    ['schema.graphql', sdl],
    ['.env.example', envExample()],
    ['README.md', await readme()],
    ...(await typedDocuments(sdl)),
  ];
}

async function current(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

async function generate(): Promise<void> {
  for (const [path, text] of await files()) {
    if ((await current(path)) === text) continue;
    if (options.check) {
      process.stderr.write(`${path} is not current: run npm run generate\n`);
      process.exitCode = 1;
    } else {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text);
      process.stdout.write(`wrote ${path}\n`);
    }
  }
}

/** The statements that bring a database of all migrations so far to the entities of today. */
async function nextMigration(): Promise<string[]> {
  const orm = await MikroORM.init({
    entities: ENTITIES,
    dbName: ':memory:',
    extensions: [Migrator],
    migrations: { migrationsList: MIGRATIONS, snapshot: false, silent: true },
  });
  await orm.migrator.up();
  const sql = await orm.schema.getUpdateSchemaSQL({ wrap: false });
  await orm.close(true);
  return sql
    .split(';\n')
    .map((statement) => statement.trim().replace(/;$/, ''))
    .filter((statement) => statement !== '');
}

async function writeMigration(name: string): Promise<void> {
  const statements = await nextMigration();
  if (statements.length === 0) {
    process.stdout.write('the migrations are current\n');
    return;
  }
  const number = String(MIGRATIONS.length + 1).padStart(4, '0');
  const path = `src/db/migrations/${number}-${name}.ts`;
  const lines = statements.map((statement) => `    this.addSql(\`${statement.replaceAll('`', '"')}\`);`);
  await writeFile(
    path,
    `import { Migration } from '@mikro-orm/migrations';\n\nexport default class extends Migration {\n  override up(): void {\n${lines.join('\n')}\n  }\n}\n`,
  );
  process.stdout.write(`wrote ${path}: add it to src/db/migrations/index.ts\n`);
}

await generate();
if (options.migration !== undefined) await writeMigration(options.migration);
else if (options.check && (await nextMigration()).length > 0) {
  process.stderr.write('the migrations are not current: run npm run generate -- --migration NAME\n');
  process.exitCode = 1;
}
