// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { alternateOf, base64, bool, enumOf, int, listOf, nothing, optional, required, str, struct } from './types.ts';

const program = required(int, 'The program, as exec-start has named it.');

const noSuchProgram = ['there is no program N', 'no such number was given out by this agent, or what was left of it is forgotten'] as const;
const outOfRange = ["value 'N' is invalid for argument NAME: RANGE", 'a number is outside its range, which the text names'] as const;

/** Whether it has ended, and how. */
const endMembers = {
  exited: required(bool, 'Whether the program has ended. What others that it has started write may still come.'),
  exitcode: optional(int, 'Its exit status, where it has ended by itself.'),
  signal: optional(int, 'The signal that ended it.'),
  'timed-out': optional(bool, 'True where `time-limit-ms` was over before it ended.'),
} as const;

const sizeMembers = {
  rows: required(int, 'Lines, from 1 to 10000.'),
  columns: required(int, 'Characters of a line, from 1 to 10000.'),
} as const;

export const programTerminal = struct('ExecTerminal', {
  ...sizeMembers,
  term: optional(str, 'Its kind, for the variable TERM; default `xterm-256color`.'),
});

const keepMode = enumOf('ExecKeep', ['wait', 'latest']);
const lifetime = enumOf('ExecLifetime', ['detached', 'connection']);

export const conciergeExecStart = command({
  name: '__org.concierge_exec-start',
  since: 'concierge 0.1',
  group: 'exec',
  summary: 'Starts a program to converse with, on a terminal or on pipes, and answers as soon as it runs.',
  arguments: {
    path: required(str, 'The program; a name without a separator is looked for in PATH.', { judged: 'program', shown: true }),
    arg: optional(listOf(str), 'Its arguments.', { judged: 'arguments' }),
    env: optional(listOf(str), "Changes to its environment, which is the agent's: `NAME=VALUE` adds or replaces, `NAME` alone removes.", { judged: 'environment' }),
    'working-directory': optional(str, "Where it starts, entered with the user's rights; the agent's own where absent."),
    user: optional(str, 'Name of the user that it runs as: uid, gid and groups of that user, and HOME, USER, LOGNAME and SHELL. No password is asked, and no session of PAM is opened.', { judged: 'user', shown: true }),
    groups: optional(listOf(str), "Names of supplementary groups, instead of the user's own.", { judged: 'groups' }),
    stdin: optional(enumOf('ExecStdin', ['none', 'open']), '`none` (default): nothing to read; `open`: what exec-exchange brings.'),
    output: optional(enumOf('ExecOutput', ['separated', 'merged']), '`separated` (default): standard error by itself; `merged`: as a part of standard output, in the order of writing.'),
    terminal: optional(programTerminal, 'It gets a terminal of this size as its controlling one; output is merged then, and input open.'),
    'time-limit-ms': optional(int, 'It is ended when it has run for so long: SIGTERM, and SIGKILL 5 seconds later.'),
    'unattended-limit-ms': optional(int, 'It is hung up, SIGHUP first and SIGKILL 5 seconds later, when no exec-exchange has been made for so long: for hosts whose connection is not their own, and that may be killed.'),
    keep: optional(keepMode, '`wait` (default): a program that writes faster than hosts read has to wait; `latest`: it goes on, and the last `keep-bytes` are kept.'),
    'keep-bytes': optional(int, 'With `latest`: bytes of each stream, from 1 to 1048576; default 65536.'),
    lifetime: optional(lifetime, '`detached` (default): it goes on when its host leaves; `connection`: it is hung up then, SIGHUP first and SIGKILL 5 seconds later.'),
  },
  result: struct('ExecStart', {
    program: required(int, 'Its number in the other commands; never given out twice.'),
    pid: required(int, 'Its process number in the guest.'),
  }),
  needs: 'processes.interactive',
  errors: [
    ['Failed to execute child process “PATH” (STRERROR)', 'the system could not execute it'],
    ["failed to enter the directory 'DIRECTORY': STRERROR", '`working-directory` is not there, or is not for that user'],
    ["the user 'NAME' does not exist", 'no such user in the guest; the same for a group'],
    ["failed to become the user 'NAME': STRERROR", 'the agent is not root'],
    ["this backend has no terminals", '`terminal` was given, and the system has none; see `supported_commands` for exec-resize'],
    ["Parameter 'NAME' contains a zero byte", 'of a path, an argument, a variable or a directory'],
    ["Parameter 'env[N]' has no name", 'it begins with `=`, or is empty'],
    outOfRange,
    ['N programs are running already', 'the limit of running programs is reached'],
  ],
});

export const execExchangeResult = struct('ExecExchange', {
  'input-accepted': required(int, 'Bytes of input that the program has been given since its start: the next `input-offset`.'),
  'input-ended': required(bool, 'Whether it is given no more: its end was asked for, or the program reads no more; what comes then is passed over.'),
  output: optional(base64, 'What it wrote to standard output from `output-offset` on, in base64; absent where that is nothing.'),
  'output-offset': required(int, 'Offset of the first byte of `output`.'),
  'output-lost': optional(int, 'Bytes before `output-offset` that were asked for and are not kept any more (`latest`).'),
  'output-ended': required(bool, 'Whether nothing comes behind this `output`.'),
  errors: optional(base64, 'The same of standard error.'),
  'errors-offset': required(int, 'The same of standard error.'),
  'errors-lost': optional(int, 'The same of standard error.'),
  'errors-ended': required(bool, 'The same of standard error.'),
  ...endMembers,
});

export const conciergeExecExchange = command({
  name: '__org.concierge_exec-exchange',
  since: 'concierge 0.1',
  group: 'exec',
  follows: 'program',
  onlyAsks: true,
  summary: 'Brings a program input and fetches what it has written; waits a while where there is nothing yet.',
  arguments: {
    program,
    input: optional(base64, 'What it is to read, in base64; at most 1 MiB.', { judged: 'size' }),
    'input-offset': optional(int, 'Offset of the first byte of `input`, or of the end of input. What the program has been given already is passed over, so that a repeat is harmless. Where absent, `input` follows what was accepted last.'),
    'end-of-input': optional(bool, 'Nothing comes behind `input`. On a terminal: as if its end-of-file character were typed.'),
    'output-offset': optional(int, 'Answers output from here on, and everything before is forgotten. Where absent: from the oldest byte that is kept, and nothing is forgotten.'),
    'errors-offset': optional(int, 'The same of standard error.'),
    'wait-ms': optional(int, 'How long it may wait for something new, from 0 to 10000; default 200. Anything else that the host sends on this connection ends the wait.'),
    'wait-for': optional(enumOf('ExecWaitFor', ['news', 'input']), '`news` (default): output, an end, anything that no host was told of; `input`: it is enough that `input` was wholly accepted.'),
    size: optional(int, 'Most bytes of each stream in the answer, from 1 to 1048576; default 65536.'),
  },
  result: execExchangeResult,
  needs: 'processes.interactive',
  errors: [
    noSuchProgram,
    ['the input from offset N on would leave a gap: M bytes were accepted', '`input-offset` is in the future'],
    ['the input has ended at offset N', '`input` reaches beyond the end that was given'],
    ['the program was started without input', '`input` or `end-of-input` for one without'],
    ['output from offset N on is forgotten: it is kept from M on', '`output-offset` is before what a host has said it has seen; the same for `errors`'],
    ['output from offset N on is not written yet: there are M bytes', '`output-offset` is in the future; the same for `errors`'],
    ['Base64 data contains invalid characters', '`input` is not base64 of the standard alphabet'],
    outOfRange,
  ],
});

/** Signals that have a name everywhere, and what else Linux has. */
export const signalNames = [
  'HUP', 'INT', 'QUIT', 'ILL', 'TRAP', 'ABRT', 'BUS', 'FPE', 'KILL', 'USR1', 'SEGV', 'USR2', 'PIPE', 'ALRM', 'TERM', 'CHLD', 'CONT', 'STOP',
  'TSTP', 'TTIN', 'TTOU', 'URG', 'XCPU', 'XFSZ', 'VTALRM', 'PROF', 'WINCH', 'IO', 'PWR', 'SYS',
] as const;
const signals = enumOf('ExecSignalName', signalNames);

export const conciergeExecSignal = command({
  name: '__org.concierge_exec-signal',
  since: 'concierge 0.1',
  group: 'exec',
  follows: 'program',
  summary: 'Sends a signal to a running program.',
  arguments: {
    program,
    signal: required(alternateOf('ExecSignal', int, signals), 'Its name without `SIG`, or its number in the guest, from 1 to 64.'),
    group: optional(bool, 'To its whole process group, and on a terminal to the one in the foreground.'),
  },
  result: nothing,
  needs: 'processes.interactive',
  errors: [
    noSuchProgram,
    ['program N has ended', 'there is nobody to send it to'],
    ['failed to send the signal: STRERROR', 'the system refused'],
    outOfRange,
  ],
});

export const conciergeExecResize = command({
  name: '__org.concierge_exec-resize',
  since: 'concierge 0.1',
  group: 'exec',
  follows: 'program',
  summary: "Gives a program's terminal another size.",
  arguments: { program, ...sizeMembers },
  result: nothing,
  needs: 'processes.interactive.terminals',
  errors: [
    noSuchProgram,
    ['program N has ended', 'its terminal is gone'],
    ['program N has no terminal', 'it was started on pipes'],
    outOfRange,
  ],
});

export const conciergeExecList = command({
  name: '__org.concierge_exec-list',
  since: 'concierge 0.1',
  group: 'exec',
  onlyAsks: true,
  summary: 'Lists the programs that exec-start has started, running ones and what is left of ended ones.',
  result: listOf(struct('ExecProgram', {
    program: required(int, 'Its number.'),
    pid: required(int, 'Its process number in the guest; of an ended one another process may have it by now.'),
    path: required(str, 'As given to exec-start. Arguments may hold passwords, and are not told.'),
    user: optional(str, 'The user that it was started as, where one was named.'),
    terminal: optional(struct('ExecTerminalSize', sizeMembers), 'The size of its terminal, where it has one.'),
    keep: required(keepMode, 'As given to exec-start.'),
    lifetime: required(lifetime, 'As given to exec-start.'),
    started: required(int, 'When, in nanoseconds since 1970-01-01 UTC by the clock of the guest.'),
    'input-accepted': required(int, 'As in exec-exchange.'),
    'output-offset': required(int, 'The oldest byte of output that is kept.'),
    'errors-offset': required(int, 'The same of standard error.'),
    ...endMembers,
  })),
  resultDoc: 'In the order of their starts.',
  needs: 'processes.interactive',
});

export const conciergeExecForget = command({
  name: '__org.concierge_exec-forget',
  since: 'concierge 0.1',
  group: 'exec',
  follows: 'program',
  summary: 'Forgets what is left of a program that has ended.',
  arguments: { program },
  result: nothing,
  needs: 'processes.interactive',
  errors: [noSuchProgram, ['program N is still running', 'end it first']],
});
