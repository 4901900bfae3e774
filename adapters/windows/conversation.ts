// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';
import { posixError } from '../../core/errors/posix-errno.ts';
import type { ProcessEnd } from '../../core/ports/processes.ts';
import type { InteractiveProgram, ProgramRequest, ProgramStream } from '../../core/ports/programs.ts';
import { kernel32 } from './bindings/kernel32.ts';
import { ChildStreams } from './child-streams.ts';
import { changedEnvironment, environmentBlock } from './command-line.ts';
import { ReadAhead, WriteBehind } from './conversed-pipes.ts';
import { createProcess, type CreatedProcess, exitCodeOf, processEnd, STILL_ACTIVE } from './created-process.ts';
import type { Pointer } from './koffi.ts';
import { commandLineOf, demandDirectory, foundProgram, startFailure } from './program-start.ts';
import { windowsErrorOf } from './system-error.ts';
import { lastError } from './dll.ts';
import { waitFor } from './wait.ts';

const killed = 9;

/** What ends a program here. The numbers are those that Node has on Windows, too. */
const ending: Readonly<Record<string, number | undefined>> = { HUP: 1, KILL: killed, TERM: 15 };

/** As shells tell of a signal: the exit code of what a signal has ended. */
const codeOf = (signal: number): number => 128 + signal;

/** Starts a program to converse with, on pipes and in a job of its own. As `InteractivePrograms.start`. */
export async function startConversation(request: ProgramRequest): Promise<InteractiveProgram> {
  const { path, workingDirectory: directory, user, groups, environmentChanges } = request;
  // Becoming somebody takes that user's password or token, which no host sends and the agent does not keep.
  if (user !== undefined) throw AgentError.failed(`a program cannot be started as the user '${user}': on Windows it runs as the agent does`);
  if (groups !== undefined) throw AgentError.failed('a program cannot be given other groups on Windows');
  const commandLine = commandLineOf(path, request.arguments);
  if (directory !== undefined) await demandDirectory(directory);
  const environment = environmentChanges.length === 0 ? undefined : changedEnvironment(environmentChanges, process.env);
  const application = await foundProgram({ path, environment, ...(directory === undefined ? {} : { directory }) });
  const streams = await ChildStreams.open({ input: request.stdin === 'open', output: true, errors: request.errors === 'capture' ? true : 'with-output' });
  try {
    const created = await createProcess({
      application, commandLine, ...streams.childs,
      ...(directory === undefined ? {} : { directory }),
      ...(environment === undefined ? {} : { environment: environmentBlock(environment, process.env) }),
    });
    return new Conversation(created, streams);
  } catch (error) {
    streams.close();
    throw startFailure(error, path);
  } finally {
    streams.closeChilds();
  }
}

type Listener = (what: ProgramStream | 'input') => void;

class Conversation implements InteractiveProgram {
  readonly pid: number;
  readonly finished: Promise<ProcessEnd>;
  readonly #process: Pointer;
  readonly #job: Pointer | undefined;
  readonly #input: WriteBehind | undefined;
  readonly #streams: Readonly<Record<ProgramStream, ReadAhead | undefined>>;
  #listener: Listener = () => undefined;
  /** Its handles are closed. */
  #isOver = false;
  /** Signals that were sent. */
  readonly #sent = new Set<number>();

  constructor({ pid, process: handle, job }: CreatedProcess, { input, output, errors }: ChildStreams) {
    this.pid = pid;
    this.#process = handle;
    this.#job = job;
    this.#input = input && new WriteBehind(input, () => this.#listener('input'));
    this.#streams = {
      output: output && new ReadAhead(output, () => this.#listener('output')),
      errors: errors && new ReadAhead(errors, () => this.#listener('errors')),
    };
    this.finished = this.#whenEnded();
  }

  async #whenEnded(): Promise<ProcessEnd> {
    await waitFor(this.#process).signalled;
    const code = exitCodeOf(this.#process);
    this.#isOver = true;
    this.#input?.close();
    kernel32.CloseHandle(this.#process);
    if (this.#job !== undefined) kernel32.CloseHandle(this.#job);
    const signal = code - codeOf(0);
    return this.#sent.has(signal) ? { signal } : processEnd(code);
  }

  read(stream: ProgramStream, into: Uint8Array): number | undefined {
    const from = this.#streams[stream];
    return from === undefined ? 0 : from.read(into);
  }

  write(bytes: Uint8Array): number | undefined {
    return this.#input?.write(bytes);
  }

  endInput(): void {
    this.#input?.end();
  }

  onReady(listener: Listener): void {
    this.#listener = listener;
  }

  signal(signal: string | number, group: boolean): void {
    const number = typeof signal === 'string' ? ending[signal] : Object.values(ending).find((one) => one === signal);
    if (this.#isOver) throw posixError('ESRCH', { syscall: 'kill' });
    if (number === undefined) {
      // Those that a console passes on would reach every program at it, and the agent, which would have to be at it, too.
      const osText = `Windows has no signal ${signal}: HUP, TERM and KILL end a program`;
      throw AgentError.os({ code: 'EINVAL', errno: 22, osText, syscall: 'kill' });
    }
    this.#end(number, group);
  }

  kill(): void {
    if (this.#isOver) return;
    try {
      this.#end(killed, true);
    } catch {
      // It is ending.
    }
  }

  #end(signal: number, group: boolean): void {
    this.#sent.add(signal);
    if (group && this.#job !== undefined && kernel32.TerminateJobObject(this.#job, codeOf(signal)) !== 0) return;
    if (kernel32.TerminateProcess(this.#process, codeOf(signal)) !== 0) return;
    const failed = lastError();
    throw exitCodeOf(this.#process) === STILL_ACTIVE ? windowsErrorOf(failed, { syscall: 'kill' }) : posixError('ESRCH', { syscall: 'kill' });
  }

  release(): void {
    this.#streams.output?.leave();
    this.#streams.errors?.leave();
  }
}
