import base from '../vitest.config.ts';

/** The long tests: one file after the other, since they kill processes, fill disks and measure. */
export default {
  ...base,
  test: { ...base.test, include: ['tests/faults/*.test.ts'], fileParallelism: false, testTimeout: 300_000 },
};
