// SPDX-License-Identifier: Apache-2.0
import type { ProcessEnd } from '../../core/ports/index.ts';
import type { FakeTerminal } from './fake-terminal.ts';

/** What a program of the fake sees and can do. */
export interface ProgramContext {
  readonly pid: number;
  /** `argv`: the program's name as it was called, then its arguments. */
  readonly argv: readonly string[];
  /** `NAME=VALUE` each. */
  readonly environment: readonly string[];
  /** What guest-exec was given; a program that is conversed with has nothing here, and asks `read`. */
  readonly input: Uint8Array;
  readonly workingDirectory: string;
  /** Aborted when the process is killed; what it does afterwards has no effect. */
  readonly killed: AbortSignal;
  readonly print: (data: string | Uint8Array) => void;
  readonly complain: (data: string | Uint8Array) => void;
  /** Resolves after `ms` of the machine's time, whether it was killed meanwhile or not. */
  readonly sleep: (ms: number) => Promise<void>;
  /** Leaves a child behind that holds the output open until the returned function is called. */
  readonly leaveChild: () => () => void;
  /** The next input, as soon as there is some; undefined at its end. */
  readonly read: () => Promise<Uint8Array | undefined>;
  /** Resolves when what was printed was taken, but for a pipe's worth: a program that prints without end waits for it. */
  readonly taken: () => Promise<void>;
  /** Does this instead of what the signal, by its name without `SIG`, does by itself. */
  readonly onSignal: (name: string, handler: () => void) => void;
  /** Its terminal, where it was started on one. */
  readonly terminal?: FakeTerminal;
}

/** A program: answers its exit code (nothing: 0), or how it ended. One that throws is ended by SIGABRT. */
export type ProgramFunction = (context: ProgramContext) => ProgramResult | Promise<ProgramResult>;
export type ProgramResult = number | ProcessEnd | void;
