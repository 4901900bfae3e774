// SPDX-License-Identifier: Apache-2.0
import type { Caller } from '../state/caller.ts';
import type { Clock } from '../ports/index.ts';
import type { HostedProgram, ProgramInput } from '../state/program.ts';
import { GRANTED, type ProgramOutput } from '../state/program-output.ts';
import { Base64Piece, PreparedAnswer } from './command.ts';

/** Who asks for large pieces is after much: a program that has begun to write gets so long to write more. */
export const GATHER_MS = 1;

export interface ExchangeRequest {
  readonly input: ProgramInput;
  readonly outputOffset: number | undefined;
  readonly errorsOffset: number | undefined;
  /** Most bytes of each stream. */
  readonly size: number;
  /** It is enough that the input was accepted. */
  readonly isForInput: boolean;
}

/** What a host is told of a stream. */
interface Told {
  readonly offset: number;
  readonly lost: number;
  readonly bytes: Uint8Array;
  readonly ended: boolean;
}

/** Whether a program has ended, and how, as exec-exchange and exec-list tell it. */
export const endOf = ({ end, timedOut }: HostedProgram): { exited: boolean; exitcode?: number; signal?: number; 'timed-out'?: boolean } => {
  if (end === undefined) return { exited: false };
  return { exited: true, ...('signal' in end ? { signal: end.signal } : { exitcode: end.exitCode }), ...(timedOut ? { 'timed-out': true } : {}) };
};

/** One exec-exchange: what is checked first, what is done as often as something changes, and the answer. */
export class Exchange {
  readonly #program: HostedProgram;
  readonly #request: ExchangeRequest;
  /** Where the input begins, and where the host has asked for output from. */
  readonly #inputOffset: number;

  /** Forgets what the host has seen. @throws AgentError for offsets that cannot be; nothing has happened then */
  constructor(program: HostedProgram, request: ExchangeRequest) {
    const { output, errors, facts } = program;
    const mayBeLost = facts.latest !== undefined;
    program.checkInput(request.input);
    output.check(request.outputOffset, mayBeLost);
    errors.check(request.errorsOffset, mayBeLost);
    this.#program = program;
    this.#request = request;
    this.#inputOffset = request.input.offset ?? program.accepted;
    program.forgetBefore(request.outputOffset, request.errorsOffset);
  }

  /** Whether the answer holds all there is, of a program that is over. */
  get tellsAll(): boolean {
    const { isOver, output, errors } = this.#program;
    const isLast = (stream: ProgramOutput, asked: number | undefined): boolean => stream.end - Math.max(asked ?? 0, stream.offset) <= this.#request.size;
    return isOver && isLast(output, this.#request.outputOffset) && isLast(errors, this.#request.errorsOffset);
  }

  /** Goes on as far as it goes now. True: there is something to answer. */
  proceed(): boolean {
    const { input, outputOffset, errorsOffset, size, isForInput } = this.#request;
    const program = this.#program;
    const isGiven = program.feed(input.bytes, this.#inputOffset, input.isEnd);
    program.fill(size);
    const isNew = (stream: ProgramOutput, asked: number | undefined): boolean => stream.end > Math.max(asked ?? 0, stream.offset);
    return program.hasNews || program.isOver || isNew(program.output, outputOffset) || isNew(program.errors, errorsOffset) || (isForInput && isGiven);
  }

  /** Resolves when there is something to answer, the time is up, or the host does not want to wait any more. */
  async wait(ms: number, clock: Clock, caller: Caller): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const unlisten = caller.giveWay(resolve);
    const stop = this.#program.whenChanged(() => {
      if (this.proceed()) resolve();
    });
    const timer = clock.after(ms, () => {
      this.#program.output.shrink();
      this.#program.errors.shrink();
      resolve();
    });
    await promise;
    timer.cancel();
    stop();
    unlisten();
  }

  /** Whether little is there for a host that has asked for large pieces, and more may come at once. */
  get isThin(): boolean {
    const { output, errors, isOver } = this.#program;
    const { size } = this.#request;
    const kept = Math.max(output.end - output.offset, errors.end - errors.offset);
    return size > GRANTED && kept > 0 && kept < size / 2 && !isOver;
  }

  /** Gives the program a moment, and takes what came. */
  async gather(clock: Clock): Promise<void> {
    await new Promise<void>((resolve) => {
      clock.after(GATHER_MS, resolve);
    });
    this.proceed();
  }

  answer(): PreparedAnswer {
    const program = this.#program;
    const output = this.#tell(program.output, this.#request.outputOffset);
    const errors = this.#tell(program.errors, this.#request.errorsOffset);
    const tail = `${restOf('output', output)}${errors.bytes.length === 0 ? '' : `, "errors": "${Base64Piece.text(errors.bytes)}"`}${restOf('errors', errors)}, ${endText(program)}}`;
    const head = `{"input-accepted": ${program.accepted}, "input-ended": ${program.inputEnded}`;
    program.tell();
    if (output.bytes.length === 0) return new PreparedAnswer(head + tail);
    return new PreparedAnswer(new Base64Piece(`${head}, "output": "`, output.bytes, `"${tail}`));
  }

  #tell(stream: ProgramOutput, asked: number | undefined): Told {
    const offset = Math.max(asked ?? 0, stream.offset);
    const bytes = stream.from(offset, this.#request.size);
    return { offset, bytes, lost: offset - (asked ?? offset), ended: stream.ended && offset + bytes.length === stream.end };
  }
}

const restOf = (name: string, { offset, lost, ended }: Told): string =>
  `, "${name}-offset": ${offset}${lost === 0 ? '' : `, "${name}-lost": ${lost}`}, "${name}-ended": ${ended}`;

/** As encodeResult prints `endOf`. */
const endText = (program: HostedProgram): string => JSON.stringify(endOf(program)).slice(1, -1).replaceAll(':', ': ').replaceAll(',', ', ');
