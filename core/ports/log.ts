// SPDX-License-Identifier: Apache-2.0
export type LogLevel = 'error' | 'warning' | 'info' | 'debug';

/** A line, or a function that builds it: not called when the level is off. */
export type LogLine = string | (() => string);

/**
 * Where the agent says what it does. Never throws, never blocks, never given a secret. Between `hold` and `release`
 * nothing reaches any disk: lines wait in a bounded ring and come out with the times at which they were said.
 */
export interface Log {
  error(line: LogLine): void;
  warning(line: LogLine): void;
  info(line: LogLine): void;
  debug(line: LogLine): void;
  /** One line of the accounting log: what the host made the guest do. */
  account(line: LogLine): void;
  /** Resolves once nothing that was said before is still on its way to a disk. */
  hold(): Promise<void>;
  release(): void;
}
