// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Words that take a line out of the count. An exception needs another place than a comment: there is none so far. */
const ignoreHint = /\b(?:v8|c8|istanbul|node:coverage) ignore\b/;
const hidden = readdirSync(join(root, 'core'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && ignoreHint.test(readFileSync(join(root, 'core', name), 'utf8')));
if (hidden.length > 0) throw new Error(`lines of core/ are kept out of the count: ${hidden.join(', ')}`);

/**
 * What tests on the fake alone reach of `core/`: every line, statement, function and branch of every file (V8's counts,
 * brought back to the syntax tree: `??`, `?.`, `&&` and default arguments are branches too).
 */
export default defineConfig({
  root,
  test: {
    include: ['agent', 'commands', 'diagnosis', 'errors', 'freeze', 'generation', 'hotplug', 'policy', 'protocol', 'schema', 'session', 'state'].map((room) => `test/unit/${room}/**/*.test.ts`),
    // These look at the Linux backend beside the core.
    exclude: ['test/unit/freeze/survey.test.ts', 'test/unit/schema/docs-commands.test.ts'],
    // Counted code takes several times as long.
    testTimeout: 180_000,
    // Tests that draw their input draw the same here each time: what is counted does not depend on luck.
    env: { CONCIERGE_SEED: '1' },
    setupFiles: ['test/unit/lib/drawn-alike.ts'],
    coverage: {
      enabled: true,
      include: ['core/**/*.ts'],
      reporter: [['text', { skipFull: true }]],
      thresholds: { 100: true, perFile: true },
    },
  },
});
