import type { ProcessEnd, Processes, RunningProcess, SpawnRequest } from '../../../core/ports/processes.ts';
import { type NativeAddon, nativeAddon } from '../native.ts';

interface ProcessesAddon extends NativeAddon {
  /**
   * Resolves once the program runs. `output` and `errors`: 0 discard, 1 capture, 2 join with output. `onOutput` gets 0
   * for output and 1 for errors; `onEnd` comes last, when all output has been given.
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
  ): Promise<{
    readonly pid: number;
    readonly kill: () => void;
    readonly endAll: (mark: string) => Promise<void>;
    readonly discard: (stream: number) => void;
  }>;
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

type OutputListener = (stream: 'output' | 'errors', bytes: Uint8Array) => void;

const sinks = { discard: 0, capture: 1, merge: 2 } as const;

/**
 * Programs of this machine. The child leads a session of its own, so that killing it takes its children along. What those
 * that outlive it write is read and thrown away, so that they go on.
 */
export const processes: Processes & { spawn(request: LinuxSpawnRequest): Promise<LinuxProcess> } = {
  canMerge: true,

  async spawn(request: LinuxSpawnRequest): Promise<LinuxProcess> {
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
      (stream, bytes) => listener?.(stream === 0 ? 'output' : 'errors', bytes),
      (exited, status) => ended.resolve(exited ? { exitCode: status } : { signal: status }),
      request.held?.directory,
      request.held?.name,
    );
    return {
      pid: started.pid,
      kill: started.kill,
      endAll: started.endAll,
      discard: (stream) => started.discard(stream === 'output' ? 0 : 1),
      finished: ended.promise,
      onOutput(given) {
        listener = given;
      },
    };
  },
};
