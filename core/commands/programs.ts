// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../errors/agent-error.ts';
import type { InteractivePrograms, Processes, ProgramRequest } from '../ports/index.ts';
import type { ArgumentsOf } from '../schema/command.ts';
import {
  conciergeExecExchange, conciergeExecForget, conciergeExecList, conciergeExecResize, conciergeExecSignal, conciergeExecStart,
} from '../schema/programs.ts';
import type { HostedProgram } from '../state/program.ts';
import { searchAfterChanges } from '../state/search-path.ts';
import { locating } from '../state/processes.ts';
import type { ProgramTable } from '../state/programs.ts';
import { type Base64Argument, decodeBase64 } from './base64.ts';
import { type Admission, available, handler } from './command.ts';
import { refuseZeroBytes } from './exec.ts';
import { endOf, Exchange } from './program-exchange.ts';

/** Of input, and of each stream of an answer. */
const MAX_PIECE = 1024 * 1024;
const USUAL_PIECE = 64 * 1024;
/** Other users of a port wait for as long at most, and an idle program costs five requests in a second. */
const USUAL_WAIT_MS = 200;
const MAX_WAIT_MS = 10_000;
const MAX_TERMINAL = 10_000;
const MAX_SIGNAL = 64;
/** A timer of Node has no more. */
const MAX_TIME_LIMIT_MS = 2 ** 31 - 1;

/** A host that polls has to have its turn. */
const MIN_UNATTENDED_MS = 1000;

const inRange = (name: string, value: bigint, least: number, most: number): number => {
  if (value < BigInt(least) || value > BigInt(most)) throw AgentError.failed(`value '${value}' is invalid for argument ${name}: from ${least} to ${most}`);
  return Number(value);
};

const maybe = (name: string, value: bigint | undefined, least: number, most: number): number | undefined =>
  (value === undefined ? undefined : inRange(name, value, least, most));

const offset = (name: string, value: bigint | undefined): number | undefined => maybe(name, value, 0, Number.MAX_SAFE_INTEGER);

const sizeOf = (rows: bigint, columns: bigint, prefix = ''): { rows: number; columns: number } => ({
  rows: inRange(`${prefix}rows`, rows, 1, MAX_TERMINAL),
  columns: inRange(`${prefix}columns`, columns, 1, MAX_TERMINAL),
});

export const execStart = handler(conciergeExecStart, async ({ backend, programs, log, admission }, args, caller) => {
  const interactive = available(backend.processes?.interactive, 'processes.interactive');
  const { path, user, terminal, lifetime = 'detached', keep = 'wait' } = args;
  const request = requestOf(args);
  const size = terminal === undefined ? undefined : sizeOf(terminal.rows, terminal.columns, 'terminal.');
  const keepBytes = inRange('keep-bytes', args['keep-bytes'] ?? BigInt(USUAL_PIECE), 1, MAX_PIECE);
  const limitMs = maybe('time-limit-ms', args['time-limit-ms'], 1, MAX_TIME_LIMIT_MS);
  const unattendedMs = maybe('unattended-limit-ms', args['unattended-limit-ms'], MIN_UNATTENDED_MS, MAX_TIME_LIMIT_MS);
  if (size !== undefined && interactive.terminals === undefined) throw AgentError.failed('this backend has no terminals');

  // Arguments may hold passwords: the program alone is named.
  log.account(() => `${conciergeExecStart.name} called: "${path}"${user === undefined ? '' : ` as ${user}`}`);
  const facts = {
    path, user, size, lifetime, limitMs, unattendedMs,
    connection: caller.connection,
    latest: keep === 'latest' ? keepBytes : undefined,
    hasInput: request.stdin === 'open',
    merged: request.errors === 'merge',
  };
  const admitted = admission === undefined ? request : await admitting(available(backend.processes, 'processes'), request, admission);
  const program = await start(programs, facts, interactive, admitted);
  if (lifetime === 'connection') programs.tie(program, caller);
  return { program: program.facts.number, pid: program.pid };
});

function requestOf(args: ArgumentsOf<typeof conciergeExecStart>): ProgramRequest {
  const { path, arg = [], env = [], user, groups, terminal } = args;
  const directory = args['working-directory'];
  refuseZeroBytes('path', path);
  arg.forEach((text, index) => { refuseZeroBytes(`arg[${index}]`, text); });
  env.forEach((text, index) => {
    refuseZeroBytes(`env[${index}]`, text);
    if (text === '' || text.startsWith('=')) throw AgentError.failed(`Parameter 'env[${index}]' has no name`);
  });
  groups?.forEach((text, index) => { refuseZeroBytes(`groups[${index}]`, text); });
  if (user !== undefined) refuseZeroBytes('user', user);
  if (directory !== undefined) refuseZeroBytes('working-directory', directory);
  if (terminal?.term !== undefined) refuseZeroBytes('terminal.term', terminal.term);
  return {
    path,
    arguments: arg,
    environmentChanges: terminal === undefined ? env : [`TERM=${terminal.term ?? 'xterm-256color'}`, ...env],
    ...(directory === undefined ? {} : { workingDirectory: directory }),
    ...(user === undefined ? {} : { user }),
    ...(groups === undefined ? {} : { groups }),
    stdin: terminal === undefined ? (args.stdin ?? 'none') : 'open',
    errors: terminal !== undefined || args.output === 'merged' ? 'merge' : 'capture',
  };
}

/** The program that the policy has admitted, by the path that leads to it and to no other. */
async function admitting(processes: Pick<Processes, 'locate'>, request: ProgramRequest, admission: Admission): Promise<ProgramRequest> {
  const environment = searchAfterChanges(request.environmentChanges);
  try {
    const { path } = await locating(processes, { path: request.path, ...(environment === undefined ? {} : { environment }) }, (program) => admission({ program }));
    return { ...request, path };
  } catch (error) {
    throw refusal(request, error);
  }
}

/** Starts it, with what the host asked for in front of what the system says. */
async function start(programs: ProgramTable, facts: Parameters<ProgramTable['start']>[0], interactive: InteractivePrograms, request: ProgramRequest): Promise<HostedProgram> {
  try {
    return await programs.start(facts, async (outlives) => {
      const kept = { ...request, outlives };
      if (facts.size === undefined || interactive.terminals === undefined) return { running: await interactive.start(kept), terminal: undefined };
      const terminal = await interactive.terminals.start(kept, facts.size);
      return { running: terminal, terminal };
    });
  } catch (error) {
    throw refusal(request, error);
  }
}

function refusal({ path, workingDirectory, user }: ProgramRequest, error: unknown): unknown {
  if (!AgentError.is(error) || error.os === undefined) return error;
  const { os } = error;
  if (os.syscall === 'chdir') return withContext(`failed to enter the directory '${workingDirectory}'`, error);
  if (os.syscall?.startsWith('set') === true) return withContext(user === undefined ? 'failed to set the groups' : `failed to become the user '${user}'`, error);
  return new AgentError('os', `Failed to execute child process “${path}” (${os.osText})`, { os, cause: error });
}

/** What a long text was decoded into is given back at once: the input may have to wait. */
function inputOf(given: Base64Argument | undefined): Uint8Array {
  if (given === undefined) return new Uint8Array(0);
  const bytes = decodeBase64(given);
  if (typeof given === 'object') given.release();
  return bytes;
}

export const execExchange = handler(conciergeExecExchange, ({ backend, programs }, args, caller) => {
  const program = programs.find(args.program);
  program.attended();
  const wait = inRange('wait-ms', args['wait-ms'] ?? BigInt(USUAL_WAIT_MS), 0, MAX_WAIT_MS);
  const bytes = inputOf(args.input);
  if (bytes.length > MAX_PIECE) throw AgentError.failed(`value '${bytes.length}' is invalid for argument input: at most ${MAX_PIECE} bytes`);
  const exchange = new Exchange(program, {
    input: { bytes, offset: offset('input-offset', args['input-offset']), isEnd: args['end-of-input'] === true },
    outputOffset: offset('output-offset', args['output-offset']),
    errorsOffset: offset('errors-offset', args['errors-offset']),
    size: inRange('size', args.size ?? BigInt(USUAL_PIECE), 1, MAX_PIECE),
    isForInput: args['wait-for'] === 'input',
  });
  const answer = () => {
    program.attended();
    if (exchange.tellsAll) programs.noteSeen(program);
    return exchange.answer();
  };
  const hasNews = exchange.proceed();
  if (wait === 0 || (hasNews && !exchange.isThin)) return answer();
  const waited = hasNews ? Promise.resolve() : exchange.wait(wait, backend.clock, caller);
  return waited.then(() => (exchange.isThin ? exchange.gather(backend.clock) : undefined)).then(answer);
});

export const execSignal = handler(conciergeExecSignal, ({ programs, log }, { program: number, signal: given, group = false }) => {
  const program = programs.find(number);
  const signal = typeof given === 'bigint' ? inRange('signal', given, 1, MAX_SIGNAL) : given;
  log.account(() => `${conciergeExecSignal.name} called, program: ${number}, signal: ${signal}`);
  try {
    program.signal(signal, group);
  } catch (error) {
    throw withContext('failed to send the signal', error);
  }
});

export const execResize = handler(conciergeExecResize, ({ programs }, { program: number, rows, columns }) => {
  const program = programs.find(number);
  const size = sizeOf(rows, columns);
  try {
    program.resize(size);
  } catch (error) {
    throw withContext('failed to resize the terminal', error);
  }
});

export const execList = handler(conciergeExecList, ({ programs }) =>
  Array.from(programs.list, (program) => {
    const { facts, size } = program;
    return {
      program: facts.number,
      pid: program.pid,
      path: facts.path,
      ...(facts.user === undefined ? {} : { user: facts.user }),
      ...(size === undefined ? {} : { terminal: size }),
      keep: facts.latest === undefined ? 'wait' as const : 'latest' as const,
      lifetime: facts.lifetime,
      started: facts.startedAt,
      'input-accepted': program.accepted,
      'output-offset': program.output.offset,
      'errors-offset': program.errors.offset,
      ...endOf(program),
    };
  }));

export const execForget = handler(conciergeExecForget, ({ programs }, { program }) => programs.forget(programs.find(program)));
