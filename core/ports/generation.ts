// SPDX-License-Identifier: Apache-2.0
import type { HookOutcome } from './hooks.ts';

/**
 * What a hypervisor says when this guest goes on as another one than it was: put back to an earlier moment, or one of several
 * copies. Its randomness and its connections are those of its twin then, and its clock stood still.
 */
export interface Generation {
  /**
   * Listens from now on, and calls back once for each time that it is said. Costs nothing while nothing is said, and keeps no
   * process alive. `since`: what an earlier watch answered to `heard`, in another process perhaps; what has been said from then on is found
   * by the first look.
   *
   * @throws failed or os error where this system cannot hear it
   */
  watch(listener: (news: GenerationNews) => void, since?: string): Promise<GenerationWatch>;
  /** Programs of the administrator that run then, in their order. Looked for anew each time. */
  hooks(): Promise<readonly GenerationHook[]>;
}

/** Another generation; or that time has stood still or its clocks were disturbed, as when it was moved to another host. */
export type GenerationNews = 'generation' | 'disruption';

export interface GenerationWatch {
  /** Looks whether it has been said already, and calls back then: so cheap that it is done before each request. Never throws. Absent: that cannot be. */
  look?(): void;
  /** How far has been listened, for a watch to begin there. Absent: what is said while nobody listens is not found by a look. */
  heard?(): string | undefined;
  /** Nothing is called back any more. Idempotent. */
  stop(): void;
}

export interface GenerationHook {
  /** For reports: the path. */
  readonly name: string;
  /** Why it must not run: writable by others. */
  readonly refused?: string;
  /** Runs to the end or to its time limit, then kills it with all that it has started. Never rejects. */
  run(change: GenerationChange): Promise<HookOutcome>;
}

/** What a hook is told. */
export interface GenerationChange {
  /** Numbers of the generations before and after, counted by the agent: 0 is the one in which it came to be. */
  readonly from: number;
  readonly to: number;
  /** By how much the wall clock was behind, in nanoseconds, negative where it was ahead; absent where nothing could tell. */
  readonly clockOffBy?: bigint;
}
