// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';
import type { Clock, InteractiveProgram, TerminalProgram, Timer } from '../ports/index.ts';
import { ByteBudget } from './byte-budget.ts';
import { HostedProgram, type ProgramFacts } from './program.ts';

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

interface Ended {
  seen: boolean;
  timer: Timer;
}

/** The programs that hosts converse with. */
export class ProgramTable {
  readonly #clock: Clock;
  readonly #settled: () => void;
  readonly #budget = new ByteBudget(MAX_KEPT_OF_ALL);
  /** By number, in the order of their starts. */
  readonly #programs = new Map<number, HostedProgram>();
  /** In the order in which they ended. */
  readonly #ended = new Map<HostedProgram, Ended>();
  #starting = 0;
  #last = 0;

  /** `settled` is called when a program has ended, and when what was left of one is forgotten. */
  constructor(clock: Clock, settled: () => void) {
    this.#clock = clock;
    this.#settled = settled;
  }

  /** Programs that run or begin to, and those of which something is left. */
  get size(): number {
    return this.#programs.size + this.#starting;
  }

  get list(): Iterable<HostedProgram> {
    return this.#programs.values();
  }

  /**
   * Keeps a program that `start` starts.
   *
   * @throws what `start` throws, or AgentError: too many run, or keep too much
   */
  async start(facts: Omit<ProgramFacts, 'number' | 'startedAt'>, start: () => Promise<Started>): Promise<HostedProgram> {
    if (this.size - this.#ended.size >= MAX_PROGRAMS) throw AgentError.failed(`${MAX_PROGRAMS} programs are running already`);
    const latest = 2 * (facts.latest ?? 0);
    if (!this.#budget.take(latest)) throw AgentError.failed('the programs keep too much output already');
    this.#starting += 1;
    try {
      const { running, terminal } = await start();
      const program = new HostedProgram({ ...facts, number: this.#number(), startedAt: this.#clock.now() }, running, terminal, this.#clock, this.#budget, (ended) => this.#noteEnd(ended));
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
    const ended = this.#ended.get(program);
    if (ended === undefined || ended.seen) return;
    ended.seen = true;
    ended.timer.cancel();
    ended.timer = this.#clock.after(SEEN_PROGRAM_MS, () => this.#forget(program));
  }

  /** @throws AgentError for one that runs */
  forget(program: HostedProgram): void {
    if (program.end === undefined) throw AgentError.failed(`program ${program.facts.number} is still running`);
    this.#forget(program);
  }

  /** Before the agent ends: nobody will converse with them any more. */
  hangUpAll(): void {
    for (const program of this.#programs.values()) program.hangUp();
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
    this.#ended.set(program, { seen: false, timer: this.#clock.after(UNSEEN_PROGRAM_MS, () => this.#forget(program)) });
    const seenFirst = [...this.#ended].toSorted(([, one], [, other]) => Number(other.seen) - Number(one.seen));
    for (const [victim] of seenFirst.slice(0, Math.max(0, seenFirst.length - MAX_ENDED))) this.#forget(victim);
    this.#settled();
  }

  #forget(program: HostedProgram): void {
    (this.#ended.get(program) as Ended).timer.cancel();
    this.#ended.delete(program);
    this.#programs.delete(program.facts.number);
    this.#budget.giveBack(2 * (program.facts.latest ?? 0));
    program.release();
    this.#settled();
  }
}
