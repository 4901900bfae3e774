import * as runner from 'node:test';

/** node:test with calls that answer nothing: it waits for its tests itself. */
export const describe = (name: string, body: () => void): void => void runner.describe(name, body);

type Body = () => void | Promise<void>;

export const it = Object.assign((name: string, body: Body): void => void runner.it(name, body), {
  skip: (name: string, body: Body): void => void runner.it.skip(name, body),
  /** The reason belongs into the name. */
  skipIf: (skipped: boolean) => (name: string, body: Body): void => void (skipped ? runner.it.skip(name, body) : runner.it(name, body)),
});

export { after, afterEach, before, beforeEach } from 'node:test';
