import { spawn, type ChildProcess } from 'node:child_process';

import { AgentError } from '../../core/errors/agent-error.ts';
import { isPosixCode, posixError } from '../../core/errors/posix-errno.ts';
import type { ProcessEnd, Processes, RunningProcess, SpawnRequest } from '../../core/ports/processes.ts';
import { kernel32 } from './bindings/kernel32.ts';
import type { Pointer } from './koffi.ts';

type OutputListener = (stream: 'output' | 'errors', bytes: Uint8Array) => void;

/** How long output is still taken after the end of a process whose pipe another one holds. */
const graceMs = 1_000;

/** Of CreateProcess, with its zero character. */
const longestLine = 32_766;

const FILE_ATTRIBUTE_DIRECTORY = 0x10;
const INVALID_FILE_ATTRIBUTES = 0xffff_ffff;
const PROCESS_SET_QUOTA_AND_TERMINATE = 0x0101;

/**
 * Programs of this machine, with arguments quoted by the rules of the C run-time library. The child is put into a job of
 * its own, so that killing it takes its children along.
 */
export const windowsProcesses: Processes = {
  // Windows has no pipe for both that keeps the order as programs wrote it; the reference has no `merged` either.
  canMerge: false,
  spawn: start,
};

async function start(request: SpawnRequest): Promise<RunningProcess> {
  // Windows leaves out dots and blanks at the end: `x.bat. ` is a batch file too.
  if (/\.(?:bat|cmd)[. ]*$/i.test(request.path)) {
    // cmd.exe interprets the arguments of a batch file once more: quoting cannot be right for both.
    throw AgentError.failed(`Failed to execute child process “${request.path}” (a batch file has to be run by cmd.exe, with /c)`);
  }
  if (lineLength(request) > longestLine) throw posixError('E2BIG', { syscall: 'CreateProcess', path: request.path });
  const child = spawn(request.path, request.arguments, {
    stdio: [request.input === undefined ? 'ignore' : 'pipe', pipeOr(request.output), pipeOr(request.errors)],
    windowsHide: true,
    ...(request.environment === undefined ? {} : { env: variables(request.environment) }),
  });
  const ended = endOf(child);
  await started(child, request.path);
  feed(child, request.input);
  const job = jobWith(child.pid ?? 0);
  void ended.then(() => {
    if (job !== undefined) kernel32.CloseHandle(job);
  });
  return {
    pid: child.pid ?? 0,
    finished: ended,
    onOutput(listener: OutputListener) {
      child.stdout?.on('data', (bytes: Buffer) => listener('output', bytes));
      child.stderr?.on('data', (bytes: Buffer) => listener('errors', bytes));
    },
    kill() {
      if (child.exitCode !== null) return;
      if (job === undefined || kernel32.TerminateJobObject(job, 1) === 0) child.kill();
    },
  };
}

const pipeOr = (sink: SpawnRequest['errors']): 'pipe' | 'ignore' => (sink === 'discard' ? 'ignore' : 'pipe');

function variables(pairs: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const pair of pairs) {
    // Names of the system's own begin with an equals sign: `=C:`.
    const at = pair.indexOf('=', 1);
    if (at > 0) env[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return env;
}

function started(child: ChildProcess, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => {
      child.on('error', () => {});
      resolve();
    });
    child.once('error', (error: NodeJS.ErrnoException) => reject(spawnFailure(error.code === 'ENOENT' ? (reasonAgainst(path) ?? error) : error, path)));
  });
}

function spawnFailure(error: NodeJS.ErrnoException, path: string): AgentError {
  // libuv has no name for ERROR_ELEVATION_REQUIRED and ERROR_BAD_EXE_FORMAT.
  if (error.code === 'UNKNOWN') return posixError('ENOEXEC', { syscall: 'CreateProcess', path });
  if (error.code !== undefined && isPosixCode(error.code)) return posixError(error.code, { syscall: 'CreateProcess', path });
  return AgentError.failed(error.message, error);
}

/** libuv looks for `.com` and `.exe` only, and says of everything else that it does not exist. */
function reasonAgainst(path: string): NodeJS.ErrnoException | undefined {
  const attributes = /[\\/]/.test(path) ? kernel32.GetFileAttributesW(path) : INVALID_FILE_ATTRIBUTES;
  if (attributes === INVALID_FILE_ATTRIBUTES) return undefined;
  return Object.assign(new Error(), { code: (attributes & FILE_ATTRIBUTE_DIRECTORY) === 0 ? 'ENOEXEC' : 'EACCES' });
}

/** At least: quoting adds to it. */
const lineLength = ({ path, arguments: args }: SpawnRequest): number => args.reduce((sum, word) => sum + word.length + 1, path.length);

function feed(child: ChildProcess, input: Uint8Array | undefined): void {
  // A program that ends without having read its input is no error.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
}

function endOf(child: ChildProcess): Promise<ProcessEnd> {
  return new Promise((resolve) => {
    let end: ProcessEnd = { exitCode: 1 };
    let grace: NodeJS.Timeout | undefined;
    child.once('exit', (code) => {
      end = processEnd(code ?? 1);
      grace = setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve(end);
      }, graceMs);
    });
    child.once('close', () => {
      clearTimeout(grace);
      resolve(end);
    });
  });
}

/** From 0xC0000000 up it is the NTSTATUS of what ended the process; both as signed numbers, as the reference has them. */
export const processEnd = (code: number): ProcessEnd => (code >>> 0 >= 0xc000_0000 ? { signal: code | 0 } : { exitCode: code | 0 });

function jobWith(pid: number): Pointer | undefined {
  const process = kernel32.OpenProcess(PROCESS_SET_QUOTA_AND_TERMINATE, 0, pid);
  if (process === 0n) return undefined;
  const job = kernel32.CreateJobObjectW(null, null);
  const assigned = job !== 0n && kernel32.AssignProcessToJobObject(job, process) !== 0;
  kernel32.CloseHandle(process);
  if (assigned) return job;
  if (job !== 0n) kernel32.CloseHandle(job);
  return undefined;
}
