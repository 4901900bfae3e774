// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { alternateOf, base64, bool, enumOf, int, listOf, optional, required, str, struct } from './types.ts';

export const guestExecStatusResult = struct(
  'GuestExecStatus',
  {
    exited: required(bool, 'Whether it has ended. The other members are there only then.'),
    exitcode: optional(int, 'Its exit status, where it ended by itself. Neither this nor `signal`: nobody can tell how it ended.'),
    signal: optional(int, 'The signal that ended it, or on Windows the exception code.'),
    'out-data': optional(base64, 'What it wrote to standard output, in base64; absent where that is nothing.'),
    'err-data': optional(base64, 'What it wrote to standard error, in base64; absent where that is nothing.'),
    'out-truncated': optional(bool, 'Beside `out-data`: whether it wrote more than is kept (16 MiB).'),
    'err-truncated': optional(bool, 'Beside `err-data`: the same.'),
  },
  ['exitcode', 'err-data', 'out-data', 'err-truncated', 'signal', 'out-truncated', 'exited'],
);

export const guestExecStatus = command({
  name: 'guest-exec-status',
  since: '2.5',
  group: 'exec',
  follows: 'program',
  onlyAsks: true,
  summary: 'Tells whether a program that guest-exec started has ended, and how, and what it wrote.',
  arguments: { pid: required(int, 'Its process number, from guest-exec.') },
  result: guestExecStatusResult,
  needs: 'processes',
  errors: [['PID N does not exist', 'guest-exec started no such process, or it ended so long ago that it is forgotten']],
});

export const guestExecCaptureOutput = alternateOf(
  'GuestExecCaptureOutput',
  bool,
  enumOf('GuestExecCaptureOutputMode', ['none', 'stdout', 'stderr', 'separated', 'merged']),
);

export const guestExecResult = struct('GuestExec', {
  pid: required(int, 'Process number, to ask guest-exec-status with.'),
});

export const guestExec = command({
  name: 'guest-exec',
  since: '2.5',
  group: 'exec',
  concernsAll: 'user',
  summary: 'Starts a program in the guest and answers as soon as it runs.',
  arguments: {
    path: required(str, 'The program; a name without a separator is looked for in PATH.', { judged: 'program', shown: true }),
    arg: optional(listOf(str), 'Its arguments.', { judged: 'arguments' }),
    env: optional(listOf(str), "Its whole environment, `NAME=VALUE` each; the agent's own where absent.", { judged: 'environment' }),
    'input-data': optional(base64, 'What it reads from standard input, in base64; nothing where absent.', { judged: 'size' }),
    'capture-output': optional(
      guestExecCaptureOutput,
      'What to keep of its output: `none` or false (default), `stdout`, `stderr`, `separated` or true, `merged` (both as '
        + 'one in the order of writing; not on Windows).',
    ),
  },
  result: guestExecResult,
  needs: 'processes',
  errors: [
    ['Base64 data contains invalid characters', '`input-data` is not base64 of the standard alphabet'],
    ['Failed to execute child process “PATH” (STRERROR)', 'the system could not execute it'],
    ['N processes are running already', 'the limit of running processes is reached'],
  ],
});
