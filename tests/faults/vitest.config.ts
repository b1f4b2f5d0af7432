import base from '../vitest.config.ts';

/** Long, but neither memory nor times are measured in them that others could disturb. */
const TOGETHER = [
  'crash',
  'failpoints',
  'database',
  'fencing',
  'full-disk',
  'read-only',
  'upload-disk',
  'upload-names',
  'imaging-fuzz',
].map((name) => `tests/faults/${name}.test.ts`);
const { resolve, test } = base;
const project = { ...test, testTimeout: 300_000 };

/** The long tests: first those that get on with each other, two files at a time, then one file after the other. */
export default {
  ...base,
  test: {
    ...test,
    projects: [
      {
        extends: false,
        resolve,
        test: { ...project, name: 'together', include: TOGETHER, sequence: { groupOrder: 0 } },
      },
      {
        extends: false,
        resolve,
        test: {
          ...project,
          name: 'alone',
          include: ['tests/faults/*.test.ts'],
          exclude: TOGETHER,
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
};
