/**
 * Writes everything that follows from the code: `schema.graphql`, `.env.example`, and with `--migration NAME` the next
 * migration. `--check` writes nothing and fails when something is not current.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/sqlite';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { ENTITIES } from './src/app.ts';
import { envExample } from './src/config.ts';
import { MIGRATIONS } from './src/db/migrations/index.ts';
import { schema } from './src/schema.ts';

const { values: options } = parseArgs({
  options: { check: { type: 'boolean', default: false }, migration: { type: 'string' } },
});

const FILES: Record<string, () => string> = {
  'schema.graphql': () => `${printSchema(lexicographicSortSchema(schema))}\n`,
  '.env.example': envExample,
};

async function current(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

async function generate(): Promise<void> {
  for (const [path, make] of Object.entries(FILES)) {
    const text = make();
    if ((await current(path)) === text) continue;
    if (options.check) {
      process.stderr.write(`${path} is not current: run npm run generate\n`);
      process.exitCode = 1;
    } else {
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
