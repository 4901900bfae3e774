import { defineConfig } from 'vitest/config';

/** One project per room of `test/`: unit tests use the fake only, the others say what they need. */
const project = (name: string, extra: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: 30_000, ...extra },
});

export default defineConfig({
  test: {
    projects: [
      project('unit'),
      project('contract'),
      project('wire', { testTimeout: 120_000, hookTimeout: 60_000, globalSetup: 'test/wire/lib/build.ts' }),
      project('system', { testTimeout: 300_000, hookTimeout: 120_000, fileParallelism: false }),
      project('vm', { testTimeout: 300_000, hookTimeout: 900_000, fileParallelism: false }),
      project('fuzz', { testTimeout: 600_000 }),
    ],
    coverage: { include: ['core/**'], reporter: ['text-summary', 'json-summary'] },
  },
});
