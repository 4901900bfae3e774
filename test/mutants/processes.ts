// SPDX-License-Identifier: Apache-2.0
import { posixError, type Backend, type ProcessEnd, type Processes, type RunningProcess, type SpawnRequest } from '../../kit/index.ts';
import { present, replaced, type Mutant } from './mutant.ts';

const everySpawn = (spawn: (processes: Processes, request: SpawnRequest) => Promise<RunningProcess>) => (backend: Backend): Backend => {
  const processes = present(backend.processes, 'processes');
  return replaced(backend, { processes: replaced(processes, { spawn: (request: SpawnRequest) => spawn(processes, request) }) });
};

const everyProcess = (change: (process: RunningProcess) => Partial<RunningProcess>) =>
  everySpawn(async (processes, request) => {
    const process = await processes.spawn(request);
    return replaced(process, change(process));
  });

const group = 'processes';

/** Faults of running programs, planted in the fake and in the backend for Linux. */
export const processMutants: readonly Mutant[] = [
  {
    fault: 'a signal is told as an exit code', group, caughtBy: 'a process that a signal ends tells its number',
    plant: everyProcess(({ finished }) => ({ finished: finished.then((end): ProcessEnd => ('signal' in end ? { exitCode: 128 + end.signal } : end)) })),
  },
  {
    fault: 'exit codes have 7 bits', group, caughtBy: 'exit code 255 arrives',
    plant: everyProcess(({ finished }) => ({ finished: finished.then((end): ProcessEnd => ('exitCode' in end ? { exitCode: end.exitCode & 0x7f } : end)) })),
  },
  {
    fault: 'the last byte of each piece of output is lost', group, caughtBy: 'one MiB of output arrives whole',
    plant: everyProcess((process) => ({ onOutput: (listener) => process.onOutput((stream, bytes) => listener(stream, bytes.subarray(0, -1))) })),
  },
  {
    fault: 'one buffer is used for every piece of output', group, caughtBy: 'the pieces of output are the listener’s to keep',
    plant: everyProcess((process) => ({ onOutput: (listener) => process.onOutput((stream, bytes) => {
      listener(stream, bytes);
      bytes.fill(0);
    }) })),
  },
  {
    fault: 'standard error is told as standard output', group, caughtBy: 'standard output and standard error are told apart',
    plant: everyProcess((process) => ({ onOutput: (listener) => process.onOutput((_stream, bytes) => listener('output', bytes)) })),
  },
  {
    fault: 'input is not fed', group, caughtBy: 'input is fed whole and then ends',
    plant: everySpawn((processes, { input, ...request }) => processes.spawn(input === undefined ? request : { ...request, input: new Uint8Array(0) })),
  },
  {
    fault: 'a given environment is added to the agent’s', group, caughtBy: 'an empty environment is none',
    plant: everySpawn((processes, { environment, ...request }) => processes.spawn(environment === undefined || environment.length === 0 ? request : { ...request, environment })),
  },
  {
    fault: 'empty arguments are dropped', group, caughtBy: 'arguments arrive as they are, empty ones and odd characters too',
    plant: everySpawn((processes, request) => processes.spawn({ ...request, arguments: request.arguments.filter((word) => word !== '') })),
  },
  {
    fault: 'a missing program is a process that ends with 127', group, caughtBy: 'a program that is missing is refused',
    plant: everySpawn(async (processes, request) => {
      try {
        return await processes.spawn(request);
      } catch {
        return { pid: 1, onOutput: () => undefined, finished: Promise.resolve({ exitCode: 127 }), kill: () => undefined };
      }
    }),
  },
  {
    fault: 'a file without the right to be executed is told as missing', group, caughtBy: 'a file that may not be executed is refused (EACCES)',
    plant: everySpawn((processes, request) => processes.spawn(request).catch(() => Promise.reject(posixError('ENOENT')))),
  },
];
