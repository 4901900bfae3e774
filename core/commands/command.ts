// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import type { Caller } from '../state/caller.ts';
import { AgentError, withContext } from '../errors/agent-error.ts';
import type { FreezeController } from '../freeze/controller.ts';
import type { GenerationController } from '../generation/controller.ts';
import type { Capability } from '../ports/capabilities.ts';
import type { FileFact, ProgramFact } from '../policy/facts.ts';
import type { Backend, Log, Ready } from '../ports/index.ts';
import type { ArgumentsOf, CommandSchema, ResultOf } from '../schema/command.ts';
import type { FileHandleTable } from '../state/file-handles.ts';
import type { ProcessTable } from '../state/processes.ts';
import type { ProgramTable } from '../state/programs.ts';

/** What every handler may use. One per channel, shared by all its connections. */
export interface CommandContext {
  /** By which channel the request came. */
  readonly channel: string;
  /** Requests of the channel that have not been answered, those of hosts that have left among them. */
  readonly load: { underWay: number };
  /** There where the policy judges what is opened: nothing else may be opened then, and nothing done before it has been asked. */
  readonly admission?: Admission;
  readonly backend: Backend;
  readonly files: FileHandleTable;
  readonly processes: ProcessTable;
  readonly programs: ProgramTable;
  /** Absent where the backend cannot freeze. */
  readonly freeze: FreezeController | undefined;
  readonly generation: GenerationController;
  readonly log: Log;
  readonly catalog: CommandCatalog;
}

/** Asks the policy about what was opened. @throws AgentError where that refuses it */
export type Admission = (fact: { readonly file: FileFact } | { readonly program: ProgramFact }) => void;

/** Which commands there are and which may be called now, for guest-info. */
export interface CommandCatalog {
  readonly version: string;
  /** As they are by a channel. */
  list(channel: string): readonly { readonly schema: CommandSchema; readonly enabled: boolean }[];
}

/** Text with base64 in it, which is made where it goes out: the text of a long answer is never held. */
export class Base64Piece {
  readonly before: string;
  readonly bytes: Uint8Array;
  readonly after: string;
  readonly #sent: (() => void) | undefined;

  /** `sent` is called when `bytes` are of no use any more. */
  constructor(before: string, bytes: Uint8Array, after: string, sent?: () => void) {
    this.before = before;
    this.bytes = bytes;
    this.after = after;
    this.#sent = sent;
  }

  /** The same with more text around it. */
  within(before: string, after: string): Base64Piece {
    return new Base64Piece(before + this.before, this.bytes, this.after + after, this.#sent);
  }

  sent(): void {
    this.#sent?.();
  }

  toString(): string {
    return this.before + Base64Piece.text(this.bytes) + this.after;
  }

  static text(bytes: Uint8Array): string {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  }
}

export type AnswerPiece = string | Base64Piece;

/**
 * An answer that is not printed from a value by the schema: text of the `return` value that is at hand already, or
 * that is made piece by piece while the host takes it, so that memory stays flat. A piece is used up before the next is
 * asked for.
 */
export class PreparedAnswer {
  readonly pieces: AnswerPiece | AsyncIterable<AnswerPiece>;

  constructor(pieces: AnswerPiece | AsyncIterable<AnswerPiece>) {
    this.pieces = pieces;
  }
}

export interface CommandHandler<C extends CommandSchema = CommandSchema> {
  readonly schema: C;
  /** Answers at once where nothing has to be waited for: a ping costs no promise. */
  run(context: CommandContext, args: ArgumentsOf<C>, caller: Caller): Ready<ResultOf<C> | PreparedAnswer>;
  /**
   * The host left before this result of `run` could be sent. What only the answer names, and nobody can name now, is given
   * back here.
   */
  unheard?(context: CommandContext, result: ResultOf<C>): void;
}

/** A command is data plus one function, and a second where a result that reaches nobody would be held for good. */
export const handler = <C extends CommandSchema>(
  schema: C,
  run: CommandHandler<C>['run'],
  unheard?: NonNullable<CommandHandler<C>['unheard']>,
): CommandHandler => ({
  schema,
  // Methods are bivariant: the dispatcher validates the arguments against this very schema before it calls.
  run,
  ...(unheard !== undefined && { unheard }),
});

/**
 * The group of a port that a command needs. The dispatcher leaves out commands whose group is absent, so that asking
 * for one that is not there is a mistake of the schema's `needs`.
 */
export function available<T>(group: T | undefined, name: Capability): T {
  if (group === undefined) throw new AgentError('command-not-found', `This backend has no ${name}`);
  return group;
}

/**
 * What a port knows, told as an answer: at once where the port has not to wait for it, so that such a question costs no promise. `failing`:
 * the words in front of its error.
 */
export function told<T, R>(failing: string, ask: () => Ready<T>, tell: (value: T) => R): Ready<R> {
  const failed = (error: unknown): never => {
    throw withContext(failing, error);
  };
  try {
    const value = ask();
    return value instanceof Promise ? value.then(tell).catch(failed) : tell(value);
  } catch (error) {
    return failed(error);
  }
}
