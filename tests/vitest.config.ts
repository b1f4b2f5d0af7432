import { createRequire } from 'node:module';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Every file, service and command is a process of its own: what Node has compiled for one, the others need not again.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, '..', 'node_modules', '.cache', 'heirloom-tests');

const report = process.env['HEIRLOOM_TEST_REPORT'];

export default defineConfig({
  // The very file that Node gives to the libraries: Vite would take graphql's ES build beside it, and two do not mix.
  resolve: { alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') }] },
  test: {
    include: ['tests/*.test.ts'],
    pool: 'forks',
    // Most tests wait for something; of itself vitest leaves one core to others.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
