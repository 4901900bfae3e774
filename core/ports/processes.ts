// SPDX-License-Identifier: Apache-2.0
import type { ProcessEnd } from './process-end.ts';
import type { InteractivePrograms } from './programs.ts';

export type { ProcessEnd } from './process-end.ts';

/** Running programs for guest-exec. */
export interface Processes {
  /** Whether standard error can be joined with standard output in true order. */
  readonly canMerge: boolean;
  /**
   * Starts a program; resolves once it runs. Searches PATH (that of `env` where given) for a name without a separator.
   * The child has no descriptor but its three, default signal handling, and the agent's working directory and user.
   *
   * @throws os error when it could not be executed: `ENOENT`, `EACCES`, `ENOEXEC`, `E2BIG`
   */
  spawn(request: SpawnRequest): Promise<RunningProcess>;
  /**
   * Which file `spawn` would execute for `path`, and whether that can change before it does. Absent: a policy with rules on programs
   * cannot be held, and nothing is started.
   *
   * @throws os error as `spawn` does
   */
  locate?(path: string, environment: readonly string[] | undefined): Promise<LocatedProgram>;
  /**
   * Programs that an earlier agent has started with `outlives` and not forgotten, running or ended, in the order of their
   * starts. Their output is delivered from its beginning when `onOutput` is called. Called once, before the first `spawn`.
   * Absent: nothing outlives an agent here.
   */
  left?(): readonly RunningProcess[];
  /** Programs to converse with. */
  readonly interactive?: InteractivePrograms;
}

export interface SpawnRequest {
  readonly path: string;
  readonly arguments: readonly string[];
  /** `NAME=VALUE` each; absent: the agent's own environment; empty: none. */
  readonly environment?: readonly string[];
  /** Fed to standard input, which is then closed; absent: an empty one. */
  readonly input?: Uint8Array;
  readonly output: 'discard' | 'capture';
  /** `merge`: into standard output, in the order in which it was written. */
  readonly errors: 'discard' | 'capture' | 'merge';
  /** The next agent is to know of it, where anything outlives this one. */
  readonly outlives?: boolean;
  /** Whose it is, for the agent that finds it. */
  readonly owner?: string;
}

export interface LocatedProgram {
  /** Its absolute path without a link, `.` and `..`: `spawn` takes it too. */
  readonly path: string;
  /** Why others than administrators could put something else there, as a sentence. */
  readonly distrusted?: string;
}

export interface RunningProcess {
  readonly pid: number;
  /** Called for each piece of captured output; the bytes are the callee's to keep. Set before the first piece can come. */
  onOutput(listener: (stream: 'output' | 'errors', bytes: Uint8Array) => void): void;
  /**
   * Nothing more of a stream is wanted: it is read as before, so that the process goes on, and perhaps not delivered. Absent
   * where that would save nothing.
   */
  discard?(stream: 'output' | 'errors'): void;
  /**
   * Settles when the process has ended *and* its captured output is complete, or a short grace period after its end
   * where another process still holds a pipe open. Nothing is delivered afterwards; what the others write is read and
   * thrown away, so that they go on. Rejects where it has ended and nobody can tell how: only one of `left`.
   */
  readonly finished: Promise<ProcessEnd>;
  /** There may be no agent for a while: nobody has to read from it or to write to it, and how it ends will be known. */
  readonly needsNobody?: boolean;
  /** As it was started with, of one that an earlier agent has left; absent: of nobody in particular. */
  readonly owner?: string;
  /** What is kept of it for a next agent is of no use any more. */
  forget?(): void;
  /** Ends the process and its group at once. Harmless when it is gone. */
  kill(): void;
}
