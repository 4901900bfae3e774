// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';
import type { Clock, InteractiveProgram, LeftConversation, TerminalProgram, Timer } from '../ports/index.ts';
import { ByteBudget } from './byte-budget.ts';
import type { Caller } from './caller.ts';
import { HostedProgram } from './program.ts';
import { type LeftProgramState, type ProgramFacts, writeFacts } from './program-stand.ts';

/** Programs that may run at a time. */
export const MAX_PROGRAMS = 512;
/** Programs that have ended, of which something is left; the oldest go first, those that a host knows all of before the others. */
export const MAX_ENDED = 256;
/** Bytes of output kept of all programs together, beyond 64 KiB of each stream. */
export const MAX_KEPT_OF_ALL = 64 * 1024 * 1024;
/** How long what is left of a program stays that nobody has asked for, and how long after a host knows all of it. */
export const UNSEEN_PROGRAM_MS = 4 * 60 * 60 * 1000;
export const SEEN_PROGRAM_MS = 60 * 1000;

const NS_PER_MS = 1_000_000n;
/** Programs that one agent starts in a millisecond, at most. */
const NUMBERS_PER_MS = 256;

type Started = { readonly running: InteractiveProgram; readonly terminal: TerminalProgram | undefined };

/** What the table adds by itself. */
export type AskedFacts = Omit<ProgramFacts, 'number' | 'startedAt' | 'limitAt'> & { readonly limitMs: number | undefined };

/** The programs that hosts converse with. */
export class ProgramTable {
  readonly #clock: Clock;
  readonly #settled: () => void;
  readonly #owner: string;
  readonly #budget = new ByteBudget(MAX_KEPT_OF_ALL);
  /** By number, in the order of their starts. */
  readonly #programs = new Map<number, HostedProgram>();
  /** In the order in which they ended. */
  readonly #ended = new Map<HostedProgram, Timer>();
  /** Those that go with a connection that has not come back yet. */
  readonly #left = new Set<HostedProgram>();
  #starting = 0;
  #last = 0;

  /** `settled` is called when a program has ended, and when what was left of one is forgotten. `owner`: the channel whose hosts can name the programs, for a next agent. */
  constructor(clock: Clock, settled: () => void, owner = '') {
    this.#clock = clock;
    this.#settled = settled;
    this.#owner = owner;
  }

  /** Goes on with a program of an earlier agent. To be called before anything is started. */
  takeOver(left: LeftConversation, { facts, stand }: LeftProgramState): void {
    this.#budget.take(2 * (facts.latest ?? 0));
    this.#last = Math.max(this.#last, facts.number);
    const running = left.resume({ output: stand.output, errors: stand.errors });
    const program = new HostedProgram(facts, running, facts.size && running, this.#clock, this.#budget, (ended) => this.#noteEnd(ended), { stand, read: left.read, written: left.written });
    this.#programs.set(facts.number, program);
    if (facts.lifetime === 'connection') this.#left.add(program);
  }

  /** Those that go with this connection do so again. */
  cameBack(caller: Caller): void {
    for (const program of this.#left) {
      if (program.facts.connection === undefined || program.facts.connection !== caller.connection) continue;
      this.#left.delete(program);
      this.tie(program, caller);
    }
  }

  /** All connections have come back that there are: the others were closed while there was no agent. */
  hangUpLeft(): void {
    for (const program of this.#left) program.hangUp();
    this.#left.clear();
  }

  /** The program goes when its host does; one that has left before it runs, too. */
  tie(program: HostedProgram, caller: Caller): void {
    if (caller.isGone) program.hangUp();
    else void program.over.then(caller.whenGone(() => program.hangUp()));
  }

  /** Whether another agent can go on with all that there is. */
  get canHandOver(): boolean {
    return this.#starting === 0 && [...this.#programs.values()].every(({ isKept }) => isKept);
  }

  /** The same, and that need not be soon. */
  get isQuiet(): boolean {
    return this.canHandOver && [...this.#programs.values()].every(({ needsNobody }) => needsNobody);
  }

  /** Programs that run or begin to, and those of which something is left. */
  get size(): number {
    return this.#programs.size + this.#starting;
  }

  get list(): Iterable<HostedProgram> {
    return this.#programs.values();
  }

  /**
   * Keeps a program that `start` starts, with what a next agent is told of it.
   *
   * @throws what `start` throws, or AgentError: too many run, or keep too much
   */
  async start({ limitMs, ...asked }: AskedFacts, start: (outlives: string) => Promise<Started>): Promise<HostedProgram> {
    if (this.size - this.#ended.size >= MAX_PROGRAMS) throw AgentError.failed(`${MAX_PROGRAMS} programs are running already`);
    const latest = 2 * (asked.latest ?? 0);
    if (!this.#budget.take(latest)) throw AgentError.failed('the programs keep too much output already');
    this.#starting += 1;
    try {
      const limitAt = limitMs === undefined ? undefined : Number(this.#clock.monotonic() / NS_PER_MS) + limitMs;
      const facts = { ...asked, limitAt, number: this.#number(), startedAt: this.#clock.now() };
      const { running, terminal } = await start(writeFacts(facts, this.#owner));
      const program = new HostedProgram(facts, running, terminal, this.#clock, this.#budget, (ended) => this.#noteEnd(ended));
      this.#programs.set(program.facts.number, program);
      return program;
    } catch (error) {
      this.#budget.giveBack(latest);
      throw error;
    } finally {
      this.#starting -= 1;
    }
  }

  /** @throws AgentError where there is none */
  find(number: bigint): HostedProgram {
    const program = this.#programs.get(Number(number));
    if (program === undefined || BigInt(program.facts.number) !== number) throw AgentError.failed(`there is no program ${number}`);
    return program;
  }

  /** A host knows all there is to know of a program that is over. */
  noteSeen(program: HostedProgram): void {
    const timer = this.#ended.get(program);
    if (timer === undefined || program.isSeen) return;
    program.noteSeen();
    timer.cancel();
    this.#ended.set(program, this.#clock.after(SEEN_PROGRAM_MS, () => this.#forget(program)));
  }

  /** @throws AgentError for one that runs */
  forget(program: HostedProgram): void {
    if (program.end === undefined) throw AgentError.failed(`program ${program.facts.number} is still running`);
    this.#forget(program);
  }

  /** Before the agent ends: nobody will converse any more with those that the next one does not go on with. `isLast`: there is none. */
  stop(isLast: boolean): void {
    for (const program of this.#programs.values()) {
      if (program.isKept && !isLast) continue;
      program.hangUp();
      program.drop();
    }
  }

  /**
   * Numbers grow with the clock, so that one of an earlier agent, or of a time before the machine went back to a snapshot, names
   * no program of today.
   */
  #number(): number {
    this.#last = Math.max(this.#last + 1, Number(this.#clock.now() / NS_PER_MS) * NUMBERS_PER_MS);
    return this.#last;
  }

  #noteEnd(program: HostedProgram): void {
    this.#left.delete(program);
    this.#ended.set(program, this.#clock.after(program.isSeen ? SEEN_PROGRAM_MS : UNSEEN_PROGRAM_MS, () => this.#forget(program)));
    const seenFirst = [...this.#ended.keys()].toSorted((one, other) => Number(other.isSeen) - Number(one.isSeen));
    for (const victim of seenFirst.slice(0, Math.max(0, seenFirst.length - MAX_ENDED))) this.#forget(victim);
    this.#settled();
  }

  #forget(program: HostedProgram): void {
    (this.#ended.get(program) as Timer).cancel();
    this.#ended.delete(program);
    this.#programs.delete(program.facts.number);
    this.#budget.giveBack(2 * (program.facts.latest ?? 0));
    program.release();
    this.#settled();
  }
}
