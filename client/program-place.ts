// SPDX-License-Identifier: Apache-2.0
import { ClientError } from './client-error.ts';
import { decodedPieces } from './guest-file.ts';
import type { Output } from './guest-client.ts';
import type { Base64Text } from '../core/schema/types.ts';

type Answer = Output<'__org.concierge_exec-exchange'>;
/** As `withBytes` has it. */
export type ExchangeAnswer = Omit<Answer, 'output' | 'errors'> & { readonly output?: string | Base64Text; readonly errors?: string | Base64Text };

export type StreamName = 'output' | 'errors';

/** What one exchange brought of a stream. */
export interface StreamNews {
  readonly bytes: readonly Uint8Array[];
  readonly length: number;
  /** Bytes before them that are not kept any more. */
  readonly lost: number;
  readonly ended: boolean;
}

export interface Exchanged {
  /** Bytes of the input that were taken, by this exchange or one whose answer was lost. */
  readonly accepted: number;
  readonly inputEnded: boolean;
  readonly output: StreamNews;
  readonly errors: StreamNews;
  readonly end?: { readonly exitCode: number } | { readonly signal: number };
  readonly timedOut: boolean;
}

/** What an exchange asks for. */
export interface Asked {
  readonly offsets: Readonly<Record<`${StreamName}-offset`, number | undefined>>;
  /** Where the input that it brings ends. */
  readonly inputEnd: number;
  /** Most bytes of each stream. */
  readonly size: number;
}

interface Stream {
  /** The next byte to ask for; absent until the first answer says where the oldest is. */
  next: number | undefined;
  ended: boolean;
}

/**
 * Where a host is in a conversation with a program: offsets make every exchange repeatable, so that nothing of it changes before an answer
 * has come and is right.
 */
export class ProgramPlace {
  readonly program: bigint;
  readonly #streams: Readonly<Record<StreamName, Stream>>;
  #accepted: number | undefined;
  #inputEnded = false;
  #exited = false;

  /** @param isNew from its start on; else from the oldest byte that is kept */
  constructor(program: bigint, isNew: boolean) {
    const start = isNew ? 0 : undefined;
    this.program = program;
    this.#accepted = start;
    this.#streams = { output: { next: start, ended: false }, errors: { next: start, ended: false } };
  }

  /** Where the next byte of input belongs; absent before the first answer of one that was begun by somebody else. */
  get inputOffset(): number | undefined {
    return this.#accepted;
  }

  get offsets(): Asked['offsets'] {
    return { 'output-offset': this.#streams.output.next, 'errors-offset': this.#streams.errors.next };
  }

  get isOver(): boolean {
    return this.#exited && this.#streams.output.ended && this.#streams.errors.ended;
  }

  /**
   * Goes on by an answer.
   *
   * @param asked what stood in the request, which may have been made before the last answer came
   * @param keepPlace what it brought of the output is not taken, and will be asked for again
   * @throws ClientError `garbage` for what no agent may answer
   */
  take(answer: ExchangeAnswer, asked: Asked, keepPlace = false): Exchanged {
    const before = this.#accepted;
    const accepted = exact(answer['input-accepted'], 'input-accepted');
    if (before !== undefined && (accepted < before || accepted > Math.max(before, asked.inputEnd))) throw wrong(`${accepted} bytes of input were accepted, of ${Math.max(before, asked.inputEnd)}`);
    if (this.#inputEnded && !answer['input-ended']) throw wrong('the input has not ended after all');
    if (this.#exited && !answer.exited) throw wrong('the program has not ended after all');
    const output = this.#newsOf('output', answer, asked);
    const errors = this.#newsOf('errors', answer, asked);
    const end = endOf(answer);
    this.#accepted = accepted;
    this.#inputEnded = answer['input-ended'];
    this.#exited = answer.exited;
    if (!keepPlace) {
      this.#goOn('output', answer, output);
      this.#goOn('errors', answer, errors);
    }
    return { accepted: before === undefined ? 0 : accepted - before, inputEnded: answer['input-ended'], output, errors, ...(end === undefined ? {} : { end }), timedOut: answer['timed-out'] === true };
  }

  #newsOf(name: StreamName, answer: ExchangeAnswer, { offsets, size }: Asked): StreamNews {
    const { next, ended } = this.#streams[name];
    const from = offsets[`${name}-offset`];
    const gone = exact(answer[`${name}-lost`] ?? 0n, `${name}-lost`);
    const offset = exact(answer[`${name}-offset`], `${name}-offset`);
    // An encoded text says how long it is before it is decoded.
    const pieces = decodedPieces(answer[name]);
    const count = lengthOf(pieces);
    if (from !== undefined && offset !== from + gone) throw wrong(`its ${name} begins at ${offset}, and was asked for from ${from} on`);
    if (count > size) throw wrong(`it has ${count} bytes of ${name}, and at most ${size} were asked for`);
    // What the answer before it has brought as well.
    const bytes = next === undefined || next <= offset ? pieces : behind(pieces, next - offset);
    const length = bytes === pieces ? count : lengthOf(bytes);
    if (next !== undefined && offset + count < next) return { bytes, length, lost: 0, ended };
    if (ended && (length > 0 || !answer[`${name}-ended`])) throw wrong(`its ${name} goes on behind its end`);
    return { bytes, length, lost: Math.max(0, offset - (next ?? offset)), ended: answer[`${name}-ended`] };
  }

  #goOn(name: StreamName, answer: ExchangeAnswer, { length, ended }: StreamNews): void {
    const stream = this.#streams[name];
    stream.next = Math.max(stream.next ?? 0, Number(answer[`${name}-offset`])) + length;
    stream.ended = ended;
  }
}

const lengthOf = (pieces: readonly Uint8Array[]): number => pieces.reduce((sum, one) => sum + one.length, 0);

/** All but the first so many bytes. */
function behind(pieces: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  return pieces.flatMap((piece) => {
    const passed = Math.min(left, piece.length);
    left -= passed;
    return passed === piece.length ? [] : [piece.subarray(passed)];
  });
}

function endOf({ exited, exitcode, signal }: ExchangeAnswer): Exchanged['end'] {
  if (!exited) return undefined;
  return signal === undefined ? { exitCode: Number(exitcode ?? 0n) } : { signal: Number(signal) };
}

const wrong = (what: string): ClientError => new ClientError('garbage', `an exchange with a program in the guest makes no sense: ${what}`);

function exact(value: bigint, name: string): number {
  if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw wrong(`${name} is ${value}`);
  return Number(value);
}
