// SPDX-License-Identifier: Apache-2.0
import { posixError, type Backend, type InteractiveProgram, type InteractivePrograms, type ProcessEnd, type ProgramRequest, type TerminalProgram, type TerminalSize } from '../../kit/index.ts';
import { planted, replaced, type Mutant } from './mutant.ts';

type Terminals = NonNullable<InteractivePrograms['terminals']>;

const group = 'processes.interactive';
const onTerminal = 'processes.interactive.terminals';

const everyStart = (start: (programs: InteractivePrograms, request: ProgramRequest) => Promise<InteractiveProgram>): ((backend: Backend) => Backend) =>
  planted<InteractivePrograms>(group, (programs) => ({ start: (request: ProgramRequest) => start(programs, request) }));

const everyProgram = (change: (program: InteractiveProgram) => Partial<InteractiveProgram>): ((backend: Backend) => Backend) =>
  everyStart(async (programs, request) => {
    const program = await programs.start(request);
    return replaced(program, change(program));
  });

const everyTerminal = (change: (program: TerminalProgram) => Partial<TerminalProgram>, size = (asked: TerminalSize) => asked): ((backend: Backend) => Backend) =>
  planted<Terminals>(onTerminal, (terminals) => ({
    start: async (request: ProgramRequest, asked: TerminalSize) => {
      const program = await terminals.start(request, size(asked));
      return replaced(program, change(program));
    },
  }));

/** Faults of programs that are conversed with, planted in the fake and in the backend for Linux. */
export const interactiveMutants: readonly Mutant[] = [
  {
    fault: 'a byte above 0x7f loses its highest bit', group, caughtBy: 'every byte arrives as it was written',
    plant: everyProgram((program) => ({
      read: (stream, into) => {
        const count = program.read(stream, into);
        for (let at = 0; at < (count ?? 0); at += 1) into[at] = (into[at] ?? 0) & 0x7f;
        return count;
      },
    })),
  },
  {
    fault: 'more is said to be taken than was', group, caughtBy: 'every byte arrives as it was written',
    plant: everyProgram((program) => ({ write: (bytes) => (program.write(bytes) === undefined ? undefined : bytes.length) })),
  },
  {
    fault: 'nobody is told that there is something to read', group, caughtBy: 'what is written is read back while the program runs',
    plant: everyProgram(() => ({ onReady: () => undefined })),
  },
  {
    fault: 'input never ends', group, caughtBy: 'what is written is read back while the program runs',
    plant: everyProgram(() => ({ endInput: () => undefined })),
  },
  {
    fault: 'standard error is merged unasked', group, caughtBy: 'standard output and standard error are read apart',
    plant: everyStart((programs, request) => programs.start({ ...request, errors: 'merge' })),
  },
  {
    fault: 'a program without input has one', group, caughtBy: 'without input there is nothing to read',
    plant: everyStart((programs, request) => programs.start({ ...request, stdin: 'open' })),
  },
  {
    fault: 'variables are added where they should be removed', group, caughtBy: 'changes of the environment add, replace and remove',
    plant: everyStart((programs, request) => programs.start({ ...request, environmentChanges: request.environmentChanges.map((change) => (change.includes('=') ? change : `${change}=`)) })),
  },
  {
    fault: 'the working directory is passed over', group, caughtBy: 'the working directory is the one that was asked for',
    plant: everyStart((programs, { workingDirectory, ...request }) => programs.start(workingDirectory === undefined ? request : { ...request })),
  },
  {
    fault: 'a directory that is missing is no error', group, caughtBy: 'a working directory that is not there is refused',
    plant: everyStart((programs, { workingDirectory, ...request }) => programs.start(workingDirectory === undefined ? request : { ...request })),
  },
  {
    fault: 'an unknown user is root', group, caughtBy: 'users and groups that do not exist are refused by name',
    plant: everyStart((programs, { user, ...request }) => programs.start(user === undefined ? request : { ...request })),
  },
  {
    fault: 'the wrong signal is sent', group, caughtBy: 'a signal ends a program that waits, called TERM',
    plant: everyProgram((program) => ({ signal: (_signal, whole) => program.signal('INT', whole) })),
  },
  {
    fault: 'a signal to nobody is no error', group, caughtBy: 'one to a program that has ended (ESRCH)',
    plant: everyProgram((program) => ({
      signal: (signal, whole) => {
        if (signal === 'NONSENSE') throw posixError('EINVAL');
        try {
          program.signal(signal, whole);
        } catch {
          // Nobody is there.
        }
      },
    })),
  },
  {
    fault: 'a signal that ends it is told as an exit code', group, caughtBy: 'a signal ends a program that waits, called 15',
    plant: everyProgram(({ finished }) => ({ finished: finished.then((end): ProcessEnd => ('signal' in end ? { exitCode: 128 + end.signal } : end)) })),
  },
  {
    fault: 'rows and columns are exchanged', group: onTerminal, caughtBy: 'the terminal has the size that was asked for',
    plant: everyTerminal(() => ({}), ({ rows, columns }) => ({ rows: columns, columns: rows })),
  },
  {
    fault: 'keys are swallowed', group: onTerminal, caughtBy: 'Ctrl-C interrupts what runs',
    plant: everyTerminal((program) => ({ write: (bytes) => (bytes[0] === 3 ? bytes.length : program.write(bytes)) })),
  },
  {
    fault: 'a line that was begun is never read', group: onTerminal, caughtBy: 'the end of input ends a line that was begun, too',
    plant: everyTerminal(() => ({ endInput: () => undefined })),
  },
];
