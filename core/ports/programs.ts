// SPDX-License-Identifier: Apache-2.0
import type { ProcessEnd } from './process-end.ts';

/** Programs that hosts converse with while they run. */
export interface InteractivePrograms {
  /**
   * Starts a program on pipes; resolves once it runs. As `Processes.spawn`, and it leads a session of its own.
   *
   * @throws os error whose `syscall` says which step was refused: `execve` as `spawn` does, `chdir` (with the directory's
   * rights as `user` has them), `setuid` (or `setgid`, `setgroups`; the caller may not become that user); failed error
   * `the user 'NAME' does not exist`, `the group 'NAME' does not exist`, or that this system starts programs as nobody else
   */
  start(request: ProgramRequest): Promise<InteractiveProgram>;
  readonly terminals?: {
    /**
     * The same on a terminal, which is the controlling one of its session and all of its three streams; `stdin` and
     * `errors` of the request count for nothing. What is written to the terminal comes as `output`.
     */
    start(request: ProgramRequest, size: TerminalSize): Promise<TerminalProgram>;
  };
  /**
   * Programs that earlier agents have started with `outlives` and not dropped, in the order of their starts. Called once, before
   * the first start. Absent: nothing outlives an agent here.
   */
  left?(): readonly LeftConversation[];
}

export interface ProgramRequest {
  readonly path: string;
  readonly arguments: readonly string[];
  /**
   * In their order: `NAME=VALUE` adds to the environment or replaces, `NAME` removes. What they change is the agent's own
   * environment, with HOME, USER, LOGNAME and SHELL of `user` where there is one.
   */
  readonly environmentChanges: readonly string[];
  /** Absent: the agent's own. */
  readonly workingDirectory?: string;
  /** Absent: the agent's own user. */
  readonly user?: string;
  /** Supplementary groups by name, instead of the user's own. */
  readonly groups?: readonly string[];
  /** `none`: there is nothing to read. */
  readonly stdin: 'none' | 'open';
  /** `merge`: into standard output, in the order in which it was written. */
  readonly errors: 'capture' | 'merge';
  /** What the next agent is told of it, where anything outlives this one; absent: it is to know nothing. */
  readonly outlives?: string;
}

/** Both from 1 to 10 000. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** What a program writes to: those that were merged come as `output`, and `errors` has ended from the start. */
export type ProgramStream = 'output' | 'errors';

/**
 * One program, running or ended. It is read only when somebody asks: what nobody reads stays with the system, and a program
 * that goes on writing waits. Nothing here blocks.
 */
export interface InteractiveProgram {
  readonly pid: number;
  /**
   * Reads what is there into the array, at most all of it: the number of bytes; 0 where nothing more can come; undefined where
   * there is nothing at the moment, and then `onReady`'s listener is called once when that has changed. Bytes arrive as
   * they were written, none added or lost. Also after the end of the program: others may have its streams.
   */
  read(stream: ProgramStream, into: Uint8Array): number | undefined;
  /**
   * Hands bytes to the program: how many it took. Where these are fewer than all, the listener of `onReady` is called once when
   * there is room again. Undefined: it reads no more, or has ended, or never had input.
   */
  write(bytes: Uint8Array): number | undefined;
  /** Nothing more is written. On a terminal: as if its end-of-file character were typed at the start of a line. Harmless when repeated. */
  endInput(): void;
  /** See `read` and `write`; called in a turn of its own, never from within a call. Set once, before the first of these calls. */
  onReady(listener: (what: ProgramStream | 'input') => void): void;
  /** Settles when the program has ended, whoever still has its streams. Never rejects. */
  readonly finished: Promise<ProcessEnd>;
  /**
   * Sends a signal, by its name without `SIG` or by number. `group`: to its process group, and on a terminal to the one
   * in the foreground, too.
   *
   * @throws os error: `ESRCH` when it has ended, `EINVAL` for a signal that the system does not have, `EPERM`
   */
  signal(signal: string | number, group: boolean): void;
  /** Ends the program, its group, and what of its session can be found. Harmless when it is gone. */
  kill(): void;
  /** Nobody wants to read any more: what others write to its streams is thrown away. Called once, after its end. */
  release(): void;
  /** Of a program that was started with `outlives`, where anything outlives the agent. */
  readonly kept?: KeptConversation;
}

/**
 * What is kept of a program for the next agent: the program, how it ends, its streams as they are, and what was read of them or written
 * to them. Each byte is in one place whenever this agent ends: with the program, or in what was read or written.
 */
export interface KeptConversation {
  /** False: the next agent cannot go on with it after all. */
  readonly isWhole: boolean;
  /** Replaces what the next agent is told of how it stands, at most 1 KiB of ASCII. In one step: it is told this or what was noted before. */
  note(text: string): void;
  /** What was read of a stream before an offset is not delivered again. To be noted first. */
  forget(stream: ProgramStream, offset: number): void;
  /** The next agent is to know nothing of it. Harmless when repeated. */
  drop(): void;
}

/** A program that an earlier agent has started. */
export interface LeftConversation {
  /** As it was started with. */
  readonly outlives: string;
  /** As noted last; empty where nothing was. */
  readonly note: string;
  /** Offset behind what was read of each stream. */
  readonly read: Readonly<Record<ProgramStream, number>>;
  /** Bytes that were written. Where `endInput` has come so far that it must not be called again, it is more than that. */
  readonly written: number;
  /** Goes on with it: what was read is delivered again from these offsets on. */
  resume(from: Readonly<Record<ProgramStream, number>>): TerminalProgram;
  /** Instead: hangs it up, as without anything that outlives an agent. */
  drop(): void;
}

export interface TerminalProgram extends InteractiveProgram {
  /** Tells the program, too (SIGWINCH). @throws os error */
  resize(size: TerminalSize): void;
}
