// SPDX-License-Identifier: Apache-2.0
/** A program with its arguments. */
export interface ProgramCall {
  readonly path: string;
  readonly arguments: readonly string[];
}

/** Programs with known behaviour, as this system has them. */
export interface ContractPrograms {
  exits(code: number): ProgramCall;
  /** Ends itself by a signal; absent where there are none. */
  readonly diesOf?: (signal: number) => ProgramCall;
  /** Writes one text to standard output and one to standard error. */
  prints(output: string, errors: string): ProgramCall;
  /** `1` to standard output, `2` to standard error, `3` to standard output, `4` to standard error, in this order. */
  interleaves(): ProgramCall;
  /** Writes its arguments, each followed by a line feed. */
  printsArguments(...words: string[]): ProgramCall;
  /** Writes its environment, `NAME=VALUE` and a line feed each, and nothing that the agent did not give. */
  printsEnvironment(): ProgramCall;
  copiesInput(): ProgramCall;
  /** Writes so many times `x`. */
  printsMany(count: number): ProgramCall;
  /** Runs for minutes. */
  waits(): ProgramCall;
  /** Prints `done`, ends, and leaves a child behind that holds standard output and prints `late` to it seconds later. */
  leavesChild(): ProgramCall;
  /** A program that is found by its name alone, and prints its one argument and a line feed. */
  byName(argument: string): ProgramCall;
  /** Writes without end; absent where nothing does. */
  readonly floods?: () => ProgramCall;
  /** Writes the directory that it was started in, and a line feed. */
  readonly printsDirectory?: () => ProgramCall;
  /** Writes rows and columns of its terminal, with a space between and a line feed behind. */
  readonly printsTerminalSize?: () => ProgramCall;
  /** Puts a program that prints `found` and a line feed at this path; one without the right to be executed where `false`. */
  install(path: string, executable: boolean): Promise<void>;
  /** Name and value of the variable with the search path: `PATH=/a:/b`. */
  searchPath(...directories: string[]): string;
}

const shell = (script: string, ...rest: string[]): ProgramCall => ({ path: '/bin/sh', arguments: ['-c', script, 'sh', ...rest] });

/**
 * The programs of a POSIX system with a shell.
 *
 * @param write puts a script where `install` wants it
 */
export const posixPrograms = (write: (path: string, text: string, mode: number) => Promise<void>): ContractPrograms => ({
  exits: (code) => shell('exit "$1"', `${code}`),
  diesOf: (signal) => shell('kill -"$1" $$', `${signal}`),
  prints: (output, errors) => shell('printf %s "$1"; printf %s "$2" >&2', output, errors),
  interleaves: () => shell('printf 1; printf 2 >&2; printf 3; printf 4 >&2'),
  printsArguments: (...words) => shell('for word; do printf "%s\\n" "$word"; done', ...words),
  printsEnvironment: () => ({ path: '/usr/bin/env', arguments: [] }),
  copiesInput: () => ({ path: '/bin/cat', arguments: [] }),
  printsMany: (count) => shell('head -c "$1" /dev/zero | tr "\\0" x', `${count}`),
  waits: () => ({ path: '/bin/sleep', arguments: ['300'] }),
  leavesChild: () => shell('(sleep 5; echo late) & echo done'),
  floods: () => ({ path: 'yes', arguments: [] }),
  printsDirectory: () => shell('pwd -P'),
  printsTerminalSize: () => ({ path: 'stty', arguments: ['size'] }),
  byName: (argument) => ({ path: 'echo', arguments: [argument] }),
  install: (path, executable) => write(path, '#!/bin/sh\necho found\n', executable ? 0o755 : 0o644),
  searchPath: (...directories) => `PATH=${directories.join(':')}`,
});
