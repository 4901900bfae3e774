// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf } from '../../../core/errors/agent-error.ts';
import type { ProcessEnd, Processes, RunningProcess } from '../../../core/ports/processes.ts';
import { processes as systemProcesses, type HeldProgram, type LinuxProcess } from './processes.ts';
import { textFromBytes } from '../text.ts';

/** How much of a helper's output is kept; it goes into an error text whole. */
export const helperOutputLimit = 64 * 1024;

/** A program that does part of a command: `poweroff`, `chpasswd`, a hook. */
export interface HelperProgram {
  /** Searched in PATH where it has no slash. */
  readonly program: string;
  readonly arguments: readonly string[];
  /** Where it lies, judged and held; `program` is then only its name. */
  readonly held?: HeldProgram;
  readonly input?: Uint8Array;
  /** `NAME=VALUE` each, beside those of the agent. */
  readonly environment?: readonly string[];
  /** What it is for, as the error texts say it: `shutdown`, `execute fsfreeze hook`. */
  readonly action: string;
  /** After it the program and all that it has started are killed; absent or 0: never. */
  readonly timeLimitMs?: number;
}

/** How a helper program ended. `error` is a whole sentence, absent after success. */
export interface HelperOutcome {
  readonly output: string;
  readonly error?: string;
}

/**
 * Runs a helper program to its end and answers what it printed.
 *
 * @throws failed error, in the reference's words: `child process has failed to ACTION: OUTPUT`
 */
export async function runHelperProgram(helper: HelperProgram, processes: Processes = systemProcesses): Promise<string> {
  const { output, error } = await helperOutcome(helper, processes);
  if (error !== undefined) throw AgentError.failed(error);
  return output;
}

/**
 * The same, with failure as a value. Never rejects. The program's own end counts, not that of its output: a daemon that
 * it left behind with the pipe delays nothing.
 */
export async function helperOutcome(helper: HelperProgram, processes: Processes = systemProcesses): Promise<HelperOutcome> {
  const limit = helper.timeLimitMs ?? 0;
  const mark = limit > 0 ? newMark() : undefined;
  const environment = [...(helper.environment ?? []), ...(mark === undefined ? [] : [mark])];
  let running: RunningProcess | LinuxProcess;
  try {
    running = await processes.spawn({
      path: helper.program,
      arguments: helper.arguments,
      output: 'capture',
      errors: 'merge',
      ...(helper.held === undefined ? {} : { held: helper.held }),
      ...(environment.length === 0 ? {} : { environment: [...ownEnvironment(), ...environment] }),
      ...(helper.input === undefined ? {} : { input: helper.input }),
    });
  } catch (error) {
    return { output: '', error: startFailure(helper, error) };
  }
  const printed = collectOutput(running);
  let expired = false;
  const timer = mark === undefined ? undefined : setTimeout(() => {
    expired = true;
    void endAll(running, mark);
  }, limit);
  const end = await running.finished;
  clearTimeout(timer);
  const output = printed();
  const error = expired ? `${failedTo(helper.action)}: killed after its time limit of ${limit / 1000} s${suffix(output)}` : endFailure(helper.action, end, output);
  return { output, ...(error === undefined ? {} : { error }) };
}

/** The reference's line for a program that cannot be executed, with what the system says of it. */
export const notExecuted = (action: string, program: string, osText: string): string => `${failedTo(action)}: failed to exec '${program}': ${osText}\n`;

/** How long whatever a program has started is looked for before the program itself is killed without it. */
const searchLimitMs = 2000;

async function endAll(running: RunningProcess | LinuxProcess, mark: string): Promise<void> {
  if ('endAll' in running) {
    const search = Promise.withResolvers<void>();
    const timer = setTimeout(() => search.resolve(), searchLimitMs);
    await Promise.race([running.endAll(mark).catch(() => undefined), search.promise]);
    clearTimeout(timer);
  }
  running.kill();
}

let marks = 0;

/** An entry of the environment that no other program has: what carries it was started by this one. */
function newMark(): string {
  marks += 1;
  return `CONCIERGE_HELPER=${process.pid}.${marks}.${process.hrtime.bigint()}`;
}

const ownEnvironment = (): readonly string[] => Object.entries(process.env).map(([name, value]) => `${name}=${value}`);

const failedTo = (action: string): string => `child process has failed to ${action}`;
const suffix = (output: string): string => (output === '' ? '' : `: ${output}`);

function endFailure(action: string, end: ProcessEnd, output: string): string | undefined {
  if ('signal' in end) return `child process has terminated abnormally${suffix(output)}`;
  if (end.exitCode === 0) return undefined;
  return `${failedTo(action)}: ${output === '' ? `exit status ${end.exitCode}` : output}`;
}

/** In the reference the child itself prints this line, and its end is an ordinary failure. */
function startFailure(helper: HelperProgram, error: unknown): string {
  if (AgentError.is(error) && error.os?.syscall === 'execve') {
    return notExecuted(helper.action, helper.program, error.os.osText);
  }
  return `failed to create child process: ${messageOf(error)}`;
}

/** Keeps the first bytes of what a process prints; the rest is read and dropped, so that it is not held up. */
function collectOutput(running: RunningProcess): () => string {
  const pieces: Uint8Array[] = [];
  let kept = 0;
  let cut = false;
  running.onOutput((_stream, bytes) => {
    const piece = bytes.subarray(0, helperOutputLimit - kept);
    cut ||= piece.length < bytes.length;
    if (piece.length === 0) return;
    kept += piece.length;
    pieces.push(piece);
  });
  return () => textFromBytes(Buffer.concat(pieces)) + (cut ? `\n[cut after ${helperOutputLimit} bytes]` : '');
}
