// SPDX-License-Identifier: Apache-2.0
/** What one request came to, without anything secret in it. */
import type { Peer } from './transport.ts';

export interface AuditEntry {
  /** When it came, in nanoseconds since 1970-01-01 UTC. */
  readonly at: bigint;
  readonly channel: string;
  /** Who asked, where the system tells. */
  readonly peer?: Peer;
  readonly command: string;
  /** Those that are no secret; absent where they were not looked at. */
  readonly arguments?: Readonly<Record<string, unknown>>;
  /** Names of arguments that were given and are not recorded. */
  readonly withheld?: readonly string[];
  /** The rule of the policy that has decided; absent where that was the freeze. */
  readonly rule?: string;
  readonly result: 'done' | 'failed' | 'refused';
  /** Of a failure: the system's code (`ENOENT`), where it has one. Never its text, which may repeat what was given. */
  readonly code?: string;
  /** From coming to answering. */
  readonly microseconds: number;
}

/**
 * Who is told what hosts made the guest do. Never throws and never waits. While file systems are frozen nothing reaches a disk: what
 * cannot wait is dropped and counted.
 */
export interface Audit {
  record(entry: AuditEntry): void;
}
