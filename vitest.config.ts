// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from 'vitest/config';

/** The examples import the package by its name, as their readers will. */
const entries = [['kit/contract', 'kit/contract'], ['kit', 'kit'], ['fake', 'kit/fake'], ['client', 'client']].map(([entry, folder]) =>
  ({ find: new RegExp(`^concierge-ga/${entry}$`), replacement: new URL(`${folder}/index.ts`, import.meta.url).pathname }))
  .concat({ find: /^concierge-client$/, replacement: new URL('client/index.ts', import.meta.url).pathname });

/**
 * A test of real processes gets a second try in CI, where each of some thousands would otherwise have to win each race of the
 * machine. The closing lines of `.ci/run` name whichever needed it, with how it failed: each of them is a fault to look for.
 * Suites that draw at random get none: their next try would draw something else.
 */
const onMachine = { retry: process.env['CI'] === undefined ? 0 : 1 };

/** One project per room of `test/`: unit tests use the fake only, the others say what they need. */
const project = (name: string, extra: object = {}) => ({
  resolve: { alias: entries },
  // A second, which is vitest's own patience, is too little for a busy machine.
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout: 30_000, expect: { poll: { timeout: 20_000 } }, ...extra },
});

export default defineConfig({
  test: {
    projects: [
      project('unit'),
      project('contract'),
      project('wire', { ...onMachine, testTimeout: 120_000, hookTimeout: 60_000, globalSetup: 'test/wire/lib/build.ts' }),
      project('system', { ...onMachine, testTimeout: 300_000, hookTimeout: 120_000, fileParallelism: false }),
      // Some of the suite of the wire, of agents with a keeper. All of it: CONCIERGE_TEST_KEEPER=1 vitest run --project wire.
      project('kept', {
        ...onMachine,
        include: ['commands', 'exec', 'file', 'stateless', 'trusted-places', 'users'].map((name) => `test/wire/${name}.test.ts`),
        env: { CONCIERGE_TEST_KEEPER: '1' },
        testTimeout: 120_000,
        hookTimeout: 60_000,
        globalSetup: 'test/wire/lib/build.ts',
      }),
      project('vm', { ...onMachine, globalSetup: ['test/wire/lib/build.ts', 'test/vm/lab/prepare.ts'], testTimeout: 900_000, hookTimeout: 1_200_000, fileParallelism: false }),
      project('package', { ...onMachine, testTimeout: 600_000, hookTimeout: 600_000 }),
      project('package-linux', { ...onMachine, testTimeout: 120_000, hookTimeout: 900_000, fileParallelism: false }),
      project('systemd', { ...onMachine, testTimeout: 180_000, hookTimeout: 900_000, fileParallelism: false }),
      project('differential', { globalSetup: 'test/wire/lib/build.ts', testTimeout: 900_000, hookTimeout: 120_000, fileParallelism: false }),
      project('fuzz', { testTimeout: 600_000 }),
    ],
  },
});
