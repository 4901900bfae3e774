// SPDX-License-Identifier: Apache-2.0
import { AgentError, osCode } from '../errors/agent-error.ts';
import type { Clock, InteractiveProgram, LeftConversation, ProcessEnd, ProgramStream, TerminalProgram, TerminalSize, Timer } from '../ports/index.ts';
import { ByteBudget } from './byte-budget.ts';
import { ProgramOutput, type ReadStream } from './program-output.ts';
import { type ProgramFacts, type ProgramStand, writeStand } from './program-stand.ts';

/** How long a program that was asked to end may take. */
export const END_GRACE_MS = 5000;
/** Pieces of output that are read and dropped in one turn. */
const PIECES_PER_TURN = 16;

const NS_PER_MS = 1_000_000n;

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

/** Where an earlier agent was with it. */
export interface EarlierStand extends Pick<LeftConversation, 'read' | 'written'> {
  readonly stand: ProgramStand;
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
  /** Input was passed over. */
  #hasPassed = false;
  #killAt: number | undefined;
  #isSeen = false;

  constructor(facts: ProgramFacts, running: InteractiveProgram, terminal: TerminalProgram | undefined, clock: Clock, budget: ByteBudget, ended: (program: HostedProgram) => void, earlier?: EarlierStand) {
    this.facts = facts;
    this.#running = running;
    this.#terminal = terminal;
    this.#clock = clock;
    this.#size = facts.size;
    this.#inputClosed = !facts.hasInput;
    const own = facts.latest === undefined ? budget : new ByteBudget(2 * facts.latest);
    this.output = new ProgramOutput('output', own, earlier?.stand.output);
    this.errors = new ProgramOutput('errors', own, earlier?.stand.errors);
    if (facts.merged) {
      this.errors.close();
      this.#told.errorsEnded = true;
    }
    this.#told.inputEnded = this.#inputClosed;
    this.#reads = { output: (into) => running.read('output', into), errors: (into) => running.read('errors', into) };
    running.onReady((what) => this.#ready(what));
    if (earlier !== undefined) this.#goOnFrom(earlier);
    if (facts.latest !== undefined) this.#drain();
    if (facts.limitAt !== undefined && !this.#timedOut) {
      this.#limit = clock.after(Math.max(0, facts.limitAt - this.#now()), () => {
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

  /** What was read comes first: a host may ask for output from there on. */
  #goOnFrom({ stand, read, written }: EarlierStand): void {
    const { inputEnd, passed = 0, killAt } = stand;
    this.#size = stand.size;
    this.#timedOut = stand.timedOut;
    this.#isSeen = stand.seen;
    this.#hasPassed = passed > 0;
    this.#inputClosed ||= this.#hasPassed;
    this.#inputEnd = inputEnd;
    this.#accepted = inputEnd ?? Math.max(written, passed);
    this.output.fill(this.#reads.output, read.output - stand.output);
    this.errors.fill(this.#reads.errors, read.errors - stand.errors);
    if (inputEnd !== undefined && written <= inputEnd) this.#running.endInput();
    if (killAt !== undefined) this.#killAfter(killAt - this.#now());
  }

  get pid(): number {
    return this.#running.pid;
  }

  /** Whether another agent can go on with it. */
  get isKept(): boolean {
    return this.#running.kept?.isWhole === true;
  }

  /** Whether there may be no agent for a while: it waits for its readers, and nothing has to be done at any time. */
  get needsNobody(): boolean {
    if (this.#end !== undefined) return !this.#isSeen;
    const { latest, lifetime, limitAt, unattendedMs } = this.facts;
    return latest === undefined && lifetime === 'detached' && (limitAt ?? unattendedMs ?? this.#killAt) === undefined;
  }

  /** A host knows all there is to know of it. */
  get isSeen(): boolean {
    return this.#isSeen;
  }

  noteSeen(): void {
    this.#isSeen = true;
    this.#note();
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
    if (this.#inputClosed && this.#accepted < target) {
      this.#accepted = target;
      this.#hasPassed = true;
      this.#note();
    }
    if (this.#accepted < target) return this.#inputEnd !== undefined;
    if (isEnd && this.#inputEnd === undefined) {
      this.#inputEnd = this.#accepted;
      this.#note();
      this.#running.endInput();
    }
    return true;
  }

  /** Hosts have what comes before these offsets, which were checked. */
  forgetBefore(output: number | undefined, errors: number | undefined): void {
    if ((output ?? 0) <= this.output.offset && (errors ?? 0) <= this.errors.offset) return;
    if (output !== undefined) this.output.forgetBefore(output);
    if (errors !== undefined) this.errors.forgetBefore(errors);
    this.#note();
    this.#giveBack();
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
    this.#note();
  }

  /** Its host has gone, and it is to go, too. */
  hangUp(): void {
    this.#endBy('HUP');
  }

  /** The next agent is to know nothing of it. */
  drop(): void {
    this.#running.kept?.drop();
  }

  /** Nothing of it is wanted any more. Only of one that has ended. */
  release(): void {
    this.output.release();
    this.errors.release();
    this.drop();
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
    this.#killAfter(END_GRACE_MS);
    this.#note();
  }

  #killAfter(ms: number): void {
    this.#killAt = this.#now() + ms;
    this.#grace = this.#clock.after(Math.max(0, ms), () => this.#running.kill());
  }

  #now(): number {
    return Number(this.#clock.monotonic() / NS_PER_MS);
  }

  /** For the next agent, before anything that rests on it is done. */
  #note(): void {
    this.#running.kept?.note(writeStand({
      output: this.output.offset, errors: this.errors.offset,
      passed: this.#hasPassed ? this.#accepted : undefined,
      inputEnd: this.#inputEnd, size: this.#size, timedOut: this.#timedOut, killAt: this.#killAt, seen: this.#isSeen,
    }));
  }

  /** What was noted to be forgotten. */
  #giveBack(): void {
    this.#running.kept?.forget('output', this.output.offset);
    this.#running.kept?.forget('errors', this.errors.offset);
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
    const before = this.output.offset + this.errors.offset;
    const isDry = [
      this.output.drain(this.#reads.output, keep, PIECES_PER_TURN),
      this.errors.drain(this.#reads.errors, keep, PIECES_PER_TURN),
    ].every(Boolean);
    if (this.output.offset + this.errors.offset > before) {
      this.#note();
      this.#giveBack();
    }
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
