// SPDX-License-Identifier: Apache-2.0
import type { ProcessEnd, Processes, RunningProcess, SpawnRequest } from '../../core/ports/processes.ts';
import { within } from '../shared/within.ts';
import { kernel32 } from './bindings/kernel32.ts';
import type { ChildPipe } from './child-pipe.ts';
import { ChildStreams } from './child-streams.ts';
import { environmentBlock } from './command-line.ts';
import { createProcess, type CreatedProcess, exitCodeOf, processEnd } from './created-process.ts';
import { leaveOpen, type LeftPipe } from './left-pipes.ts';
import { commandLineOf, foundProgram, startFailure } from './program-start.ts';
import { startConversation } from './conversation.ts';
import { waitFor } from './wait.ts';

type OutputListener = Parameters<RunningProcess['onOutput']>[0];

/** How long output is still taken after the end of a process whose pipe another one holds. */
const graceMs = 1_000;

/** Programs of this machine, with arguments quoted by the rules of the C run-time library. They live on when the agent ends. */
export const windowsProcesses: Processes = {
  // Windows has no pipe for both that keeps the order as programs wrote it; the reference has no `merged` either.
  canMerge: false,
  spawn: start,
  // No terminals: ConPTY passes nothing on where this is tested (docs/windows.md).
  interactive: { start: startConversation },
};

async function start(request: SpawnRequest): Promise<RunningProcess> {
  const { path } = request;
  const commandLine = commandLineOf(path, request.arguments);
  const application = await foundProgram(request);
  const pipes = await ChildStreams.open({ input: request.input !== undefined, output: request.output !== 'discard', errors: request.errors !== 'discard' });
  try {
    const created = await createProcess({
      application, commandLine, ...pipes.childs,
      ...(request.environment === undefined ? {} : { environment: environmentBlock(request.environment, process.env) }),
    });
    return running(created, pipes, request.input);
  } catch (error) {
    pipes.close();
    throw startFailure(error, path);
  } finally {
    pipes.closeChilds();
  }
}

/** Output of a child, as it comes, until nobody holds the pipe any more. */
class Reading implements LeftPipe {
  readonly ended: Promise<void>;
  readonly #pipe: ChildPipe;
  #over = false;

  constructor(pipe: ChildPipe, heard: (bytes: Uint8Array) => void) {
    this.#pipe = pipe;
    this.ended = pipe.readOn(heard).then(() => {
      this.#over = true;
    });
  }

  /** What others that hold the pipe still write is read on. */
  leave(): void {
    if (this.#over) this.close();
    else leaveOpen(this);
  }

  close(): void {
    this.#pipe.close();
  }
}

function running({ pid, process: handle, job }: CreatedProcess, streams: ChildStreams, input: Uint8Array | undefined): RunningProcess {
  let over = false;
  // What comes before the listener.
  const early: Parameters<OutputListener>[] = [];
  let heard: OutputListener = (...piece) => void early.push(piece);
  void streams.input?.feed(input ?? new Uint8Array());
  const readings = (['output', 'errors'] as const).flatMap((name) => {
    const pipe = streams[name];
    return pipe === undefined ? [] : [new Reading(pipe, (bytes) => heard(name, bytes))];
  });
  const finished = (async (): Promise<ProcessEnd> => {
    await waitFor(handle).signalled;
    over = true;
    const code = exitCodeOf(handle);
    await within(graceMs, Promise.all(readings.map(({ ended }) => ended)));
    heard = () => {};
    streams.input?.close();
    for (const reading of readings) reading.leave();
    kernel32.CloseHandle(handle);
    if (job !== undefined) kernel32.CloseHandle(job);
    return processEnd(code);
  })();
  return {
    pid,
    finished,
    onOutput(listener) {
      heard = listener;
      for (const piece of early.splice(0)) listener(...piece);
    },
    kill() {
      if (over) return;
      if (job === undefined || kernel32.TerminateJobObject(job, 1) === 0) kernel32.TerminateProcess(handle, 1);
    },
  };
}
