// SPDX-License-Identifier: Apache-2.0
/** Signals of Linux, from 1 on: the guest's numbers, which need not be the host's. */
const names = [
  'HUP', 'INT', 'QUIT', 'ILL', 'TRAP', 'ABRT', 'BUS', 'FPE', 'KILL', 'USR1', 'SEGV', 'USR2', 'PIPE', 'ALRM', 'TERM', 'STKFLT', 'CHLD', 'CONT', 'STOP',
  'TSTP', 'TTIN', 'TTOU', 'URG', 'XCPU', 'XFSZ', 'VTALRM', 'PROF', 'WINCH', 'IO', 'PWR', 'SYS',
] as const;

/** `SIGTERM` of 15; `SIG40` of one that has no name. */
export const nameOfSignal = (number: number): string => `SIG${names[number - 1] ?? number}`;

/** What exec-signal takes: a name without `SIG`, or a number. */
export function signalArgument(signal: string | number): string | number {
  if (typeof signal === 'number') return signal;
  if (/^\d+$/.test(signal)) return Number(signal);
  return signal.toUpperCase().replace(/^SIG/, '');
}
