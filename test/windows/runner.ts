// SPDX-License-Identifier: Apache-2.0
import * as runner from 'node:test';

/** node:test with calls that answer nothing: it waits for its tests itself. */
export const describe = (name: string, body: () => void): void => void runner.describe(name, body);

type Body = () => void | Promise<void>;

/** A test that hangs is named, before the limit of its whole file names that alone. Milliseconds. */
const timeout = 120_000;
const run = (name: string, body: Body): void => void runner.it(name, { timeout }, body);
const skip = (name: string, body: Body): void => void runner.it.skip(name, body);

export const it = Object.assign(run, {
  skip,
  /** The reason belongs into the name. */
  skipIf: (skipped: boolean) => (skipped ? skip : run),
});

export { after, afterEach, before, beforeEach } from 'node:test';
