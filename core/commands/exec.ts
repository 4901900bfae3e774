// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';
import type { ProcessEnd, SpawnRequest } from '../ports/index.ts';
import { guestExec, guestExecStatus } from '../schema/exec.ts';
import type { CapturedOutput } from '../state/output.ts';
import type { TrackedProcess } from '../state/processes.ts';
import { decodeBase64 } from './base64.ts';
import { type AnswerPiece, available, Base64Piece, handler, PreparedAnswer } from './command.ts';

/** Answers with more captured bytes than this are made piece by piece. */
const WHOLE_ANSWER = 192 * 1024;

type Capture = Pick<SpawnRequest, 'output' | 'errors'>;

const captures = {
  none: { output: 'discard', errors: 'discard' },
  stdout: { output: 'capture', errors: 'discard' },
  stderr: { output: 'discard', errors: 'capture' },
  separated: { output: 'capture', errors: 'capture' },
  merged: { output: 'capture', errors: 'merge' },
} as const satisfies Record<string, Capture>;

const captureOf = (wish: boolean | keyof typeof captures): keyof typeof captures => {
  if (typeof wish !== 'boolean') return wish;
  return wish ? 'separated' : 'none';
};

export const exec = handler(guestExec, async ({ backend, processes, log, admission }, args) => {
  const { path, arg = [], env, 'input-data': input, 'capture-output': wish = false } = args;
  const capture = captureOf(wish);
  if (capture === 'merged' && !available(backend.processes, 'processes').canMerge) {
    throw AgentError.failed("Parameter 'capture-output' does not accept value 'merged'");
  }
  refuseZeroBytes('path', path);
  arg.forEach((text, index) => { refuseZeroBytes(`arg[${index}]`, text); });
  env?.forEach((text, index) => { refuseZeroBytes(`env[${index}]`, text); });
  // Arguments may hold passwords: the program alone is named.
  log.account(() => `guest-exec called: "${path}"`);
  try {
    const pid = await processes.start({
      path,
      arguments: arg,
      ...(env === undefined ? {} : { environment: env }),
      ...(input === undefined ? {} : { input: decodeBase64(input) }),
      ...captures[capture],
    }, admission && ((program) => admission({ program })));
    return { pid };
  } catch (error) {
    if (AgentError.is(error) && error.os !== undefined) {
      throw new AgentError('os', `Failed to execute child process “${path}” (${error.os.osText})`, { os: error.os, cause: error });
    }
    throw error;
  }
});

/** For the system a string ends at a zero byte: the program would see something else than the host sent. */
export function refuseZeroBytes(name: string, text: string): void {
  if (text.includes('\0')) throw AgentError.failed(`Parameter '${name}' contains a zero byte`);
}

export const execStatus = handler(guestExecStatus, ({ processes, log }, { pid }) => {
  const process = processes.find(pid);
  if (process === undefined) throw AgentError.failed(`PID ${pid} does not exist`);
  const { end } = process;
  if (end === undefined) return { exited: false };
  log.account(() => `guest-exec-status called, pid: ${pid}: ${wordsOf(end)}`);
  const captured = process.output.length + process.errors.length;
  if (captured === 0) return { ...endOf(end), exited: true };
  const pieces = statusText(process, end);
  return new PreparedAnswer(captured <= WHOLE_ANSWER ? [...pieces].join('') : asynchronously(pieces));
});

/** Neither member where nobody can tell: qemu-ga, too, has both as optional ones. */
function endOf(end: ProcessEnd | 'unknown'): { readonly exitcode?: number; readonly signal?: number } {
  if (end === 'unknown') return {};
  return 'signal' in end ? { signal: end.signal } : { exitcode: end.exitCode };
}

function wordsOf(end: ProcessEnd | 'unknown'): string {
  const { exitcode, signal } = endOf(end);
  if (signal !== undefined) return `signal ${signal}`;
  return exitcode === undefined ? 'ended' : `exit code ${exitcode}`;
}

/** The answer as GuestExecStatus is printed, with the data in pieces: 32 MiB of it would be 43 MiB of text. */
function* statusText({ output, errors }: TrackedProcess, end: ProcessEnd | 'unknown'): Generator<string | Base64Piece> {
  let separator = '{';
  const member = (text: string): string => {
    const whole = separator + text;
    separator = ', ';
    return whole;
  };
  const data = function* data(name: string, captured: CapturedOutput): Generator<string | Base64Piece> {
    if (captured.length === 0) return;
    yield member(`"${name}": "`);
    for (const piece of captured.pieces()) yield new Base64Piece('', piece, '');
    yield '"';
  };
  const truncated = (name: string, captured: CapturedOutput): string =>
    (captured.length === 0 ? '' : member(`"${name}": ${captured.truncated}`));

  const { exitcode, signal } = endOf(end);
  if (exitcode !== undefined) yield member(`"exitcode": ${exitcode}`);
  yield* data('err-data', errors);
  yield* data('out-data', output);
  yield truncated('err-truncated', errors);
  if (signal !== undefined) yield member(`"signal": ${signal}`);
  yield truncated('out-truncated', output);
  yield member('"exited": true}');
}

async function* asynchronously(pieces: Iterable<AnswerPiece>): AsyncGenerator<AnswerPiece> {
  yield* pieces;
}
