// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';
import type { Clock, LocatedProgram, ProcessEnd, Processes, RunningProcess, SpawnRequest, Timer } from '../ports/index.ts';
import { CapturedOutput } from './output.ts';

/** Processes that may run at a time. */
export const MAX_RUNNING = 512;
/** Results kept of processes that have ended; the oldest go first, those that a host has seen before the others. */
export const MAX_FINISHED = 512;
/** Bytes of output kept of all processes together. */
export const MAX_OUTPUT_OF_ALL = 256 * 1024 * 1024;
/** Bytes of input that programs may be owed together. */
export const MAX_INPUT_OF_ALL = 256 * 1024 * 1024;
/** How long a result is kept that nobody has asked for, and how long after it was asked for first. */
export const UNSEEN_RESULT_MS = 4 * 60 * 60 * 1000;
export const SEEN_RESULT_MS = 60 * 1000;

const NS_PER_MS = 1_000_000n;

/** A process that guest-exec started, running or ended. */
export interface TrackedProcess {
  readonly pid: number;
  readonly output: CapturedOutput;
  readonly errors: CapturedOutput;
  /** Absent while it runs; `unknown`: nobody can tell how it has ended. */
  readonly end: ProcessEnd | 'unknown' | undefined;
}

interface Entry extends TrackedProcess {
  readonly process: RunningProcess;
  end: ProcessEnd | 'unknown' | undefined;
  seen: boolean;
  /** When it is forgotten, in milliseconds of the monotonic clock. */
  expiresAt: number;
}

/**
 * The processes that hosts have started. A result stays for a while after a host has seen it, so that an answer that got
 * lost can be asked for again; one that nobody asks for stays for hours. Neither makes the table grow beyond its limits.
 */
export class ProcessTable {
  readonly #processes: Processes | undefined;
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #running = new Set<Entry>();
  /** In the order in which they ended. */
  readonly #finished = new Set<Entry>();
  #starting = 0;
  #kept = 0;
  readonly #budget = { take: (bytes: number) => this.#takeBudget(bytes) };
  /** Bytes of input of those that run: how much of it they have read is not known. */
  #input = 0;
  #timer: { readonly timer: Timer; readonly at: number } | undefined;
  readonly #settled: () => void;
  readonly #owner: string;

  /** `settled` is called when a program has ended, and when a result is forgotten. `owner`: whose the programs are, for a next agent. */
  constructor(processes: Processes | undefined, clock: Clock, settled: () => void = () => undefined, owner = '') {
    this.#processes = processes;
    this.#clock = clock;
    this.#settled = settled;
    this.#owner = owner;
  }

  /** Whether another agent can go on with all that there is. */
  get isQuiet(): boolean {
    if (this.#processes?.left === undefined) return this.size === 0;
    // How long ago a result was seen is not handed on: it is waited for until it is forgotten.
    const isSeen = [...this.#finished].some(({ seen }) => seen);
    return this.#starting === 0 && !isSeen && [...this.#running].every(({ process }) => process.needsNobody === true);
  }

  /** Goes on with a program that an earlier agent has left. To be called before anything is started. */
  takeOver(process: RunningProcess): void {
    this.#track(process);
  }

  /** Processes that run, and results that are kept. */
  get size(): number {
    return this.#running.size + this.#starting + this.#finished.size;
  }

  /**
   * Starts a program and keeps track of it. `admit` throws where the one that was found must not run.
   *
   * @throws AgentError of kind `os` where it could not be executed, or failed: too many are running, or are owed
   * too much input
   */
  async start(request: SpawnRequest, admit?: (program: LocatedProgram) => void): Promise<number> {
    const processes = this.#processes;
    if (processes === undefined) throw AgentError.failed('this backend has no processes');
    if (this.#running.size + this.#starting >= MAX_RUNNING) {
      throw AgentError.failed(`${MAX_RUNNING} processes are running already`);
    }
    const input = request.input?.length ?? 0;
    if (this.#input + input > MAX_INPUT_OF_ALL) throw AgentError.failed('the running processes have too much input waiting for them already');
    this.#starting += 1;
    this.#input += input;
    try {
      const admitted = admit === undefined ? request : await locating(processes, request, admit);
      const process = await processes.spawn({ ...admitted, outlives: true, owner: this.#owner });
      const read = (): void => {
        this.#input -= input;
      };
      process.finished.then(read, read);
      return this.#track(process);
    } catch (error) {
      this.#input -= input;
      throw error;
    } finally {
      this.#starting -= 1;
    }
  }

  /**
   * A process by its number. Numbers come again: the youngest that runs is meant, else the oldest result that nobody has
   * seen, else the youngest one. A result counts as seen from now on.
   */
  find(pid: bigint): TrackedProcess | undefined {
    this.#forgetExpired();
    const named = (entry: Entry): boolean => BigInt(entry.pid) === pid;
    const running = [...this.#running].findLast(named);
    if (running !== undefined) return running;
    const results = [...this.#finished].filter(named);
    const result = results.find(({ seen }) => !seen) ?? results.at(-1);
    if (result === undefined || result.seen) return result;
    result.seen = true;
    result.expiresAt = this.#now() + SEEN_RESULT_MS;
    this.#wakeAt(result.expiresAt);
    return result;
  }

  #track(process: RunningProcess): number {
    this.#forgetExpired();
    // The number of a result that was seen is free for a new process; whoever asks from now on means that one.
    for (const old of this.#finished) if (old.pid === process.pid && old.seen) this.#forget(old);
    const entry: Entry = {
      process,
      pid: process.pid,
      output: new CapturedOutput(this.#budget),
      errors: new CapturedOutput(this.#budget),
      end: undefined,
      seen: false,
      expiresAt: 0,
    };
    this.#running.add(entry);
    process.onOutput((stream, bytes) => {
      entry[stream].append(bytes);
      if (entry[stream].truncated) process.discard?.(stream);
    });
    void process.finished.catch((): 'unknown' => 'unknown').then((end) => {
      this.#running.delete(entry);
      entry.end = end;
      entry.expiresAt = this.#now() + UNSEEN_RESULT_MS;
      this.#finished.add(entry);
      if (this.#finished.size > MAX_FINISHED) this.#forgetOne();
      this.#settled();
    });
    return process.pid;
  }

  /** Old results make room for new output; where there are none, the new output is cut. */
  #takeBudget(bytes: number): number {
    while (this.#kept + bytes > MAX_OUTPUT_OF_ALL && this.#forgetOne());
    const taken = Math.min(bytes, MAX_OUTPUT_OF_ALL - this.#kept);
    this.#kept += taken;
    return taken;
  }

  /** False: there is none. */
  #forgetOne(): boolean {
    const entries = [...this.#finished];
    const victim = entries.find(({ seen }) => seen) ?? entries[0];
    if (victim === undefined) return false;
    this.#forget(victim);
    return true;
  }

  #forget(entry: Entry): void {
    this.#finished.delete(entry);
    entry.process.forget?.();
    this.#kept -= entry.output.length + entry.errors.length;
  }

  #forgetExpired(): void {
    const now = this.#now();
    for (const entry of this.#finished) if (entry.expiresAt <= now) this.#forget(entry);
  }

  /** One timer for all results that were seen; those that were not are looked at when there is a reason to. */
  #wakeAt(at: number): void {
    if (this.#timer !== undefined && this.#timer.at <= at) return;
    this.#timer?.timer.cancel();
    const timer = this.#clock.after(Math.max(0, at - this.#now()), () => {
      this.#timer = undefined;
      this.#forgetExpired();
      const waiting = Array.from(this.#finished).filter(({ seen }) => seen);
      if (waiting.length > 0) this.#wakeAt(Math.min(...waiting.map(({ expiresAt }) => expiresAt)));
      this.#settled();
    });
    this.#timer = { timer, at };
  }

  #now(): number {
    return Number(this.#clock.monotonic() / NS_PER_MS);
  }
}

/** The request with the real path of its program: what was judged is what is executed. */
export async function locating<R extends Pick<SpawnRequest, 'path' | 'environment'>>(
  processes: Pick<Processes, 'locate'>,
  request: R,
  admit: (program: LocatedProgram) => void,
): Promise<R> {
  if (processes.locate === undefined) throw AgentError.failed('a rule of the policy is about programs, and this system cannot tell which one would run');
  const program = await processes.locate(request.path, request.environment);
  admit(program);
  return { ...request, path: program.path };
}
