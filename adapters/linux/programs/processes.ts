// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import type { KeptDescriptors, LeftProgram } from '../../../core/ports/keeper.ts';
import type { ProcessEnd, Processes, RunningProcess, SpawnRequest } from '../../../core/ports/processes.ts';
import { leftConversations, takeConversations } from './conversation.ts';
import { locateProgram } from './locate.ts';
import { type NativeAddon, nativeAddon } from '../native.ts';
import { toldEnd, waitStatus } from './wait-status.ts';

interface ProcessesAddon extends NativeAddon {
  /**
   * Resolves once the program runs. `output` and `errors`: 0 discard, 1 capture, 2 join with output. `onOutput` gets 0
   * for output and 1 for errors; `onEnd` comes last, when all output has been given. With `beforeReaping` output is recorded,
   * too, and that is called when the program has ended and its number is still its own;
   * `leftBehind` has a bit for each stream that others still hold, of which `onLeftPipeGone` says later that nobody does.
   */
  spawn(
    path: string,
    argumentsAfterName: readonly string[],
    environment: readonly string[] | undefined,
    input: Uint8Array | undefined,
    output: number,
    errors: number,
    onOutput: (stream: number, bytes: Uint8Array) => void,
    onEnd: (exited: boolean, status: number) => void,
    directory?: number,
    name?: string,
    beforeReaping?: (exited: boolean, status: number, leftBehind: number) => void,
    onLeftPipeGone?: (stream: number) => void,
  ): Promise<NativeProgram>;
  /**
   * A program that an earlier process of ours has started. Owns the descriptors, −1 for each that is not there. `resume` tells
   * what was recorded, and goes on; `end` says how it has ended.
   */
  takeOverProgram(
    pid: number,
    descriptors: Descriptors,
    onOutput: (stream: number, bytes: Uint8Array) => void,
    onEnd: (exited: boolean, status: number, leftBehind: number) => void,
    onLeftPipeGone: (stream: number) => void,
  ): NativeProgram & { readonly resume: () => void; readonly end: (exited: boolean, status: number) => void };
  /** Reads and throws away what comes, until nobody holds the other end, which is told then. Owns `fd`. */
  takeLeftPipe(fd: number, onGone: () => void): void;
}

/**
 * The pipe of standard output, its record (a memory file), the same of standard error, and what stands for the process
 * whoever gets its number later (a pidfd); −1 for one that is not there.
 */
type Descriptors = readonly number[];

const processPlace = 4;

interface NativeProgram {
  readonly pid: number;
  readonly kill: () => void;
  readonly endAll: (mark: string) => Promise<void>;
  readonly discard: (stream: number) => void;
  /** They stay its own. */
  readonly descriptors: Descriptors;
}

/** A program of this machine. */
export interface LinuxProcess extends RunningProcess {
  /**
   * Ends the program and whatever it has started, in sessions of their own too: found by parent, by session, and by `mark`,
   * an entry of the environment that the program was given (`NAME=VALUE`) and hands on. May wait for a process that hangs in
   * the kernel.
   */
  endAll(mark: string): Promise<void>;
}

/** A program by the directory that holds it, whatever its path leads to by now; the path is only what it is called. */
export interface HeldProgram {
  /** A descriptor, open until the program has been started. */
  readonly directory: number;
  readonly name: string;
}

/** What a program of this machine can be started by besides. */
export interface LinuxSpawnRequest extends SpawnRequest {
  readonly held?: HeldProgram;
}

type LinuxProcesses = Processes & { spawn(request: LinuxSpawnRequest): Promise<LinuxProcess> };

type OutputListener = (stream: 'output' | 'errors', bytes: Uint8Array) => void;

const sinks = { discard: 0, capture: 1, merge: 2 } as const;

const streamOf = (number: number): 'output' | 'errors' => (number === 0 ? 'output' : 'errors');

const endOf = (exited: boolean, status: number): ProcessEnd => (exited ? { exitCode: status } : { signal: status });

/**
 * Programs of this machine. The child leads a session of its own, so that killing it takes its children along. What those
 * that outlive it write is read and thrown away, so that they go on.
 */
export const linuxProcesses = (kept?: KeptDescriptors): LinuxProcesses => ({
  canMerge: true,

  ...(kept === undefined ? {} : { left: () => takeOver(kept) }),

  locate: locateProgram,

  // Loaded when somebody converses with a program.
  interactive: {
    start: async (request) => (await import('./interactive.ts')).startOnPipes(request, kept),
    terminals: { start: async (request, size) => (await import('./interactive.ts')).startOnTerminal(request, size, kept) },
    ...(kept === undefined ? {} : { left: () => leftConversations(kept, leftOf(kept).conversations) }),
  },

  async spawn(request: LinuxSpawnRequest): Promise<LinuxProcess> {
    const keeper = request.outlives === true ? kept : undefined;
    let noted = (_status: number, _leftBehind: number): void => undefined;
    let gone = (_stream: number): void => undefined;
    // Nothing comes before the caller had its turn: the event loop is asked for output only after this has resolved.
    let listener: OutputListener | undefined;
    const ended = Promise.withResolvers<ProcessEnd>();
    const started = await (nativeAddon() as ProcessesAddon).spawn(
      request.path,
      request.arguments,
      request.environment,
      request.input,
      sinks[request.output],
      sinks[request.errors],
      (stream, bytes) => listener?.(streamOf(stream), bytes),
      (exited, status) => ended.resolve(endOf(exited, status)),
      request.held?.directory,
      request.held?.name,
      keeper && ((exited, status, leftBehind) => noted(waitStatus({ exited, status }), leftBehind)),
      keeper && ((stream) => gone(stream)),
    );
    const common = {
      pid: started.pid,
      kill: started.kill,
      endAll: started.endAll,
      discard: (stream: 'output' | 'errors') => started.discard(stream === 'output' ? 0 : 1),
      finished: ended.promise,
      onOutput(given: OutputListener) {
        listener = given;
      },
    };
    if (keeper === undefined) return common;
    const serial = keeper.programs.begin(started.pid, request.owner);
    const names = started.descriptors.flatMap((fd, index) => (fd < 0 ? [] : [keptName(serial, index)]));
    started.descriptors.forEach((fd, index) => {
      if (fd >= 0) keeper.keep(keptName(serial, index), 'plain', '', fd);
    });
    noted = (status, leftBehind) => {
      keeper.programs.ended(serial, status);
      giveUpPipes(keeper, serial, started.descriptors, leftBehind);
    };
    gone = (stream) => void keeper.drop(wasteName(serial, stream));
    return { ...common, needsNobody: !hasOutput(started.descriptors) && request.input === undefined, forget: () => forget(keeper, serial, names) };
  },
});

export const processes: LinuxProcesses = linuxProcesses();

/** As which a pipe, or a record of what came out of it, outlives the agent. */
const keptName = (serial: number, index: number): string => `program-${serial}-${index}`;

function forget(kept: KeptDescriptors, serial: number, names: readonly string[]): void {
  kept.programs.forget(serial);
  for (const name of names) void kept.drop(name);
}

/** As which a pipe outlives the agent that only what the program has left in the background still writes to. */
const wastePrefix = 'waste-';
const wasteName = (serial: number, stream: number): string => `${wastePrefix}${serial}-${stream}`;

const hasOutput = (descriptors: Descriptors): boolean => descriptors.slice(0, processPlace).some((fd) => fd >= 0);

/** All that came out of the program is in the records; what others write to its pipes is thrown away, by whoever is there. */
function giveUpPipes(kept: KeptDescriptors, serial: number, descriptors: Descriptors, leftBehind: number): void {
  if ((descriptors[processPlace] ?? -1) >= 0) void kept.drop(keptName(serial, processPlace));
  for (const stream of [0, 1]) {
    const fd = descriptors[2 * stream] ?? -1;
    if (fd < 0) continue;
    if ((leftBehind & (1 << stream)) !== 0) kept.keep(wasteName(serial, stream), 'waste', '', fd);
    void kept.drop(keptName(serial, 2 * stream));
  }
}

interface Left {
  readonly programs: readonly LeftProgram[];
  readonly conversations: ReturnType<typeof takeConversations>;
}

const known = new WeakMap<KeptDescriptors, Left>();

/** Told apart, whoever comes first: the programs of guest-exec and those that are conversed with. */
function leftOf(kept: KeptDescriptors): Left {
  const before = known.get(kept);
  if (before !== undefined) return before;
  const all = kept.programs.left();
  const conversations = takeConversations(kept, all);
  const left = { conversations, programs: all.filter(({ serial }) => !conversations.has(serial)) };
  known.set(kept, left);
  return left;
}

/** What earlier agents have started and not forgotten. */
function takeOver(kept: KeptDescriptors): readonly RunningProcess[] {
  for (const { name, fd } of kept.takeAll(wastePrefix)) (nativeAddon() as ProcessesAddon).takeLeftPipe(fd, () => void kept.drop(name));
  const running = new Map<number, (status: number) => void>();
  kept.programs.onEnded((serial, status) => running.get(serial)?.(status));
  return leftOf(kept).programs.map((program) => takeOverOne(kept, program, running));
}

function takeOverOne(kept: KeptDescriptors, { serial, pid, owner, status }: LeftProgram, running: Map<number, (status: number) => void>): RunningProcess {
  const descriptors = [-1, -1, -1, -1, -1];
  const taken = kept.takeAll(keptName(serial, 0).slice(0, -1));
  for (const { name, fd } of taken) descriptors[Number(name.at(-1))] = fd;
  const names = taken.map(({ name }) => name);
  let listener: OutputListener | undefined;
  const ended = Promise.withResolvers<ProcessEnd>();
  const program = (nativeAddon() as ProcessesAddon).takeOverProgram(
    pid,
    descriptors,
    (stream, bytes) => listener?.(streamOf(stream), bytes),
    (exited, how, leftBehind) => {
      giveUpPipes(kept, serial, descriptors, leftBehind);
      if (how < 0) ended.reject(AgentError.failed(`nobody can tell how process ${pid} has ended`));
      else ended.resolve(endOf(exited, how));
    },
    (stream) => void kept.drop(wasteName(serial, stream)),
  );
  const endAs = (how: number): void => {
    const { exited, status: told } = toldEnd(how);
    program.end(exited, told);
  };
  return {
    pid,
    owner,
    kill: program.kill,
    discard: (stream) => program.discard(stream === 'output' ? 0 : 1),
    finished: ended.promise,
    needsNobody: !hasOutput(descriptors),
    forget: () => forget(kept, serial, names),
    onOutput(given) {
      listener = given;
      program.resume();
      if (status === undefined) running.set(serial, endAs);
      else endAs(status);
    },
  };
}
