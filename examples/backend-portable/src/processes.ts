// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { AgentError, type Processes, type ProcessEnd, type RunningProcess, type SpawnRequest } from 'concierge-ga/kit';

import { checkProgram, environmentOf } from './programs.ts';
import { systemError } from './system-error.ts';

/** How long output may still come after the end of a program whose child holds the pipe, in milliseconds. */
const graceMs = 200;

const sink = (wanted: SpawnRequest['output' | 'errors']): 'pipe' | 'ignore' => (wanted === 'discard' ? 'ignore' : 'pipe');

export const processes: Processes = {
  // Node opens a pipe for each stream: their order is lost.
  canMerge: false,
  spawn: async (request) => {
    const environment = environmentOf(request);
    checkProgram(request.path, environment);
    const child = await started(request, environment);
    return running(child, request);
  },
};

function started(request: SpawnRequest, environment: NodeJS.ProcessEnv): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown): void => reject(systemError(error, request.path));
    try {
      const child = spawn(request.path, request.arguments, {
        env: environment,
        // A group of its own, so that `kill` reaches its children.
        detached: true,
        stdio: ['pipe', sink(request.output), sink(request.errors)],
      });
      child.once('error', failed);
      child.once('spawn', () => resolve(child));
    } catch (error) {
      // E2BIG is told at once.
      failed(error);
    }
  });
}

function running(child: ChildProcess, request: SpawnRequest): RunningProcess {
  const { pid, stdin, stdout, stderr } = child;
  if (pid === undefined) throw AgentError.failed(`${request.path} has no process number`);
  // A program that does not read its input breaks the pipe, and that is its right.
  stdin?.on('error', () => undefined).end(request.input);
  stdout?.on('error', () => undefined);
  stderr?.on('error', () => undefined);
  return {
    pid,
    onOutput: (listener) => {
      stdout?.on('data', (bytes: Buffer) => listener('output', bytes));
      stderr?.on('data', (bytes: Buffer) => listener('errors', bytes));
    },
    finished: finish(child),
    kill: () => {
      try {
        if (child.exitCode === null && child.signalCode === null) process.kill(-pid, 'SIGKILL');
      } catch {
        // It is gone.
      }
    },
  };
}

function finish(child: ChildProcess): Promise<ProcessEnd> {
  return new Promise((resolve) => {
    const end = (): void => {
      // Others may hold the pipe: what they write is thrown away, so that they go on.
      for (const stream of [child.stdout, child.stderr]) stream?.removeAllListeners('data').resume();
      const { exitCode, signalCode } = child;
      resolve(signalCode === null ? { exitCode: exitCode ?? 0 } : { signal: constants.signals[signalCode] });
    };
    child.once('close', end);
    child.once('exit', () => setTimeout(end, graceMs).unref());
  });
}
