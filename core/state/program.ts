// SPDX-License-Identifier: Apache-2.0
import { AgentError, osCode } from '../errors/agent-error.ts';
import type { Clock, InteractiveProgram, ProcessEnd, ProgramStream, TerminalProgram, TerminalSize, Timer } from '../ports/index.ts';
import { ByteBudget } from './byte-budget.ts';
import { ProgramOutput, type ReadStream } from './program-output.ts';

/** How long a program that was asked to end may take. */
export const END_GRACE_MS = 5000;
/** Pieces of output that are read and dropped in one turn. */
const PIECES_PER_TURN = 16;

/** What a program was started as. */
export interface ProgramFacts {
  readonly number: number;
  readonly path: string;
  readonly user: string | undefined;
  readonly size: TerminalSize | undefined;
  /** Bytes of each stream that are kept while the program goes on; absent: it waits for its host. */
  readonly latest: number | undefined;
  readonly lifetime: 'detached' | 'connection';
  /** Milliseconds that it may run; absent: as long as it likes. */
  readonly limitMs: number | undefined;
  /** Milliseconds that it may run without an exchange; absent: as long as it likes. */
  readonly unattendedMs: number | undefined;
  readonly hasInput: boolean;
  readonly merged: boolean;
  /** Nanoseconds since 1970. */
  readonly startedAt: bigint;
}

export interface ProgramInput {
  readonly bytes: Uint8Array;
  /** Absent: behind what was accepted last. */
  readonly offset: number | undefined;
  readonly isEnd: boolean;
}

/** What hosts have been told of, which is no news any more. */
interface Told {
  outputEnded: boolean;
  errorsEnded: boolean;
  inputEnded: boolean;
  exited: boolean;
}

/** A program that hosts converse with, running or ended. */
export class HostedProgram {
  readonly facts: ProgramFacts;
  readonly output: ProgramOutput;
  readonly errors: ProgramOutput;
  /** Resolves when it has ended, and all who want to know at once have been told. */
  readonly over: Promise<void>;
  readonly #running: InteractiveProgram;
  readonly #terminal: TerminalProgram | undefined;
  readonly #clock: Clock;
  readonly #reads: Readonly<Record<ProgramStream, ReadStream>>;
  readonly #waiting = new Set<() => void>();
  #size: TerminalSize | undefined;
  #end: ProcessEnd | undefined;
  #timedOut = false;
  #accepted = 0;
  /** Offset of the end of input that a host has given. */
  #inputEnd: number | undefined;
  /** The program reads no more: what is brought is passed over. */
  #inputClosed: boolean;
  #limit: Timer | undefined;
  #grace: Timer | undefined;
  #unattended: Timer | undefined;
  #told: Told = { outputEnded: false, errorsEnded: false, inputEnded: false, exited: false };
  #draining = false;

  constructor(facts: ProgramFacts, running: InteractiveProgram, terminal: TerminalProgram | undefined, clock: Clock, budget: ByteBudget, ended: (program: HostedProgram) => void) {
    this.facts = facts;
    this.#running = running;
    this.#terminal = terminal;
    this.#clock = clock;
    this.#size = facts.size;
    this.#inputClosed = !facts.hasInput;
    const own = facts.latest === undefined ? budget : new ByteBudget(2 * facts.latest);
    this.output = new ProgramOutput('output', own);
    this.errors = new ProgramOutput('errors', own);
    if (facts.merged) {
      this.errors.close();
      this.#told.errorsEnded = true;
    }
    this.#told.inputEnded = this.#inputClosed;
    this.#reads = { output: (into) => running.read('output', into), errors: (into) => running.read('errors', into) };
    running.onReady((what) => this.#ready(what));
    if (facts.latest !== undefined) this.#drain();
    if (facts.limitMs !== undefined) {
      this.#limit = clock.after(facts.limitMs, () => {
        this.#timedOut = true;
        this.#endBy('TERM');
      });
    }
    this.attended();
    // Against the contract it may reject: how it ended is not known then.
    this.over = running.finished.catch((): ProcessEnd => ({ exitCode: 255 })).then((end) => {
      this.#ended(end);
      ended(this);
    });
  }

  get pid(): number {
    return this.#running.pid;
  }

  get size(): TerminalSize | undefined {
    return this.#size;
  }

  /** Absent while it runs. */
  get end(): ProcessEnd | undefined {
    return this.#end;
  }

  get timedOut(): boolean {
    return this.#timedOut;
  }

  /** Bytes of input that it was given. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Whether it is given no more. */
  get inputEnded(): boolean {
    return this.#inputClosed || this.#inputEnd !== undefined;
  }

  /** It has ended, and nothing of it is to come. */
  get isOver(): boolean {
    return this.#end !== undefined && this.output.ended && this.errors.ended;
  }

  /** Whether something has happened that no host was told of. */
  get hasNews(): boolean {
    const { outputEnded, errorsEnded, inputEnded, exited } = this.#told;
    return outputEnded !== this.output.ended || errorsEnded !== this.errors.ended || inputEnded !== this.inputEnded || exited !== (this.#end !== undefined);
  }

  /** A host is told all of this now. */
  tell(): void {
    this.#told = { outputEnded: this.output.ended, errorsEnded: this.errors.ended, inputEnded: this.inputEnded, exited: this.#end !== undefined };
  }

  /** Calls back whenever something has changed. Answers how not to be called any more. */
  whenChanged(listener: () => void): () => void {
    this.#waiting.add(listener);
    return () => void this.#waiting.delete(listener);
  }

  /** A host has asked: the time in which the next one has to begins anew. */
  attended(): void {
    const { unattendedMs } = this.facts;
    if (unattendedMs === undefined || this.#end !== undefined) return;
    this.#unattended?.cancel();
    this.#unattended = this.#clock.after(unattendedMs, () => {
      // An exchange may wait for longer than that.
      if (this.#waiting.size > 0) this.attended();
      else this.hangUp();
    });
  }

  /** @throws AgentError for input that would leave a gap, comes behind the end, or is none of this program's affair */
  checkInput({ bytes, offset = this.#accepted, isEnd }: ProgramInput): void {
    if (bytes.length === 0 && !isEnd) return;
    if (!this.facts.hasInput) throw AgentError.failed('the program was started without input');
    if (offset > this.#accepted) throw AgentError.failed(`the input from offset ${offset} on would leave a gap: ${this.#accepted} bytes were accepted`);
    if (this.#inputEnd !== undefined && offset + bytes.length > this.#inputEnd) throw AgentError.failed(`the input has ended at offset ${this.#inputEnd}`);
  }

  /** Hands over what the program takes now of input that begins at `offset`. True: it has been given all of it, and its end. */
  feed(bytes: Uint8Array, offset: number, isEnd: boolean): boolean {
    const target = offset + bytes.length;
    if (this.#accepted < target && this.#inputEnd === undefined && !this.#inputClosed) {
      const taken = this.#running.write(bytes.subarray(this.#accepted - offset));
      if (taken === undefined) this.#inputClosed = true;
      else this.#accepted += taken;
    }
    if (this.#inputClosed) this.#accepted = Math.max(this.#accepted, target);
    if (this.#accepted < target) return this.#inputEnd !== undefined;
    if (isEnd && this.#inputEnd === undefined) {
      this.#inputEnd = this.#accepted;
      this.#running.endInput();
    }
    return true;
  }

  /** Reads until `size` bytes are kept of each stream, as far as they are there. */
  fill(size: number): void {
    if (this.facts.latest !== undefined) return;
    this.output.fill(this.#reads.output, size);
    this.errors.fill(this.#reads.errors, size);
  }

  /** @throws AgentError where it has ended, or the system refuses */
  signal(signal: string | number, group: boolean): void {
    this.#demandRunning();
    try {
      this.#running.signal(signal, group);
    } catch (error) {
      if (osCode(error) === 'ESRCH') throw AgentError.failed(`program ${this.facts.number} has ended`, error);
      throw error;
    }
  }

  /** @throws AgentError where it has ended, has no terminal, or the system refuses */
  resize(size: TerminalSize): void {
    if (this.#terminal === undefined) throw AgentError.failed(`program ${this.facts.number} has no terminal`);
    this.#demandRunning();
    this.#terminal.resize(size);
    this.#size = size;
  }

  /** Its host has gone, and it is to go, too. */
  hangUp(): void {
    this.#endBy('HUP');
  }

  /** Nothing of it is wanted any more. Only of one that has ended. */
  release(): void {
    this.output.release();
    this.errors.release();
    this.#running.release();
  }

  #endBy(signal: string): void {
    if (this.#end !== undefined || this.#grace !== undefined) return;
    for (const one of [signal, 'CONT']) {
      try {
        this.#running.signal(one, true);
      } catch {
        // It has ended, or what it became is not ours to signal; what follows takes care of either.
      }
    }
    this.#grace = this.#clock.after(END_GRACE_MS, () => this.#running.kill());
  }

  #demandRunning(): void {
    if (this.#end !== undefined) throw AgentError.failed(`program ${this.facts.number} has ended`);
  }

  #ended(end: ProcessEnd): void {
    this.#end = end;
    this.#inputClosed = true;
    this.#limit?.cancel();
    this.#unattended?.cancel();
    this.#grace?.cancel();
    this.#changed();
  }

  #ready(what: ProgramStream | 'input'): void {
    if (what !== 'input' && this.facts.latest !== undefined) this.#drain();
    this.#changed();
  }

  #drain(): void {
    if (this.#draining) return;
    const keep = this.facts.latest as number;
    const isDry = [
      this.output.drain(this.#reads.output, keep, PIECES_PER_TURN),
      this.errors.drain(this.#reads.errors, keep, PIECES_PER_TURN),
    ].every(Boolean);
    if (isDry) return;
    // Others get their turn.
    this.#draining = true;
    this.#clock.after(0, () => {
      this.#draining = false;
      this.#drain();
      this.#changed();
    });
  }

  #changed(): void {
    for (const listener of Array.from(this.#waiting)) listener();
  }
}
