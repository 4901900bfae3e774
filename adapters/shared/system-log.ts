// SPDX-License-Identifier: Apache-2.0
/** The log of the system, where an administrator looks when a service that nobody watches has something to say. */
export interface SystemLog {
  /** Never throws and never waits. */
  report(level: 'error' | 'warning' | 'info', text: string): void;
  /** Resolves when nothing reported before is on its way any more. */
  settled(): Promise<void>;
}
