// SPDX-License-Identifier: Apache-2.0
import { ClientError } from './client-error.ts';
import type { CallOptions, GuestClient } from './guest-client.ts';
import { GuestProcess, type ProcessShape } from './guest-process.ts';

const START = '__org.concierge_exec-start';
/** As withFrozen has it. */
const RESUME_FOR_MS = 30_000;

type Stdio = 'pipe' | 'ignore';

export interface ConversationOptions extends Pick<CallOptions, 'timeoutMs'> {
  /** A new connection to the same guest, where one was lost: the conversation goes on where it was, without a byte lost or doubled. */
  readonly reconnect?: () => Promise<GuestClient>;
  /** Milliseconds for which that is tried; default 30 000. */
  readonly resumeForMs?: number;
  /** Gives up: `killSignal` is sent to the program's group, and an `error` tells of it. */
  readonly signal?: AbortSignal;
  /** Default SIGTERM. */
  readonly killSignal?: string | number;
}

export interface ProgramOptions extends ConversationOptions {
  /** Changes to the agent's environment; `undefined` removes. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Name of the user in the guest that it runs as. */
  readonly user?: string;
  /** Names of supplementary groups, instead of that user's own. */
  readonly groups?: readonly string[];
  /** Milliseconds after which the agent ends it: SIGTERM, 5 s later SIGKILL. */
  readonly timeLimitMs?: number;
  /**
   * Milliseconds, from 1000 on, after which the agent hangs it up when it was not asked for: a host that was killed, where the connection does not tell
   * of that. As long as this conversation lasts it is asked for often enough.
   */
  readonly unattendedLimitMs?: number;
  /**
   * True: it goes on when the connection is gone. Default: true with `reconnect`, and where the client has no connection of its own
   * (`GuestClient.isOwnConnection`), else false: the agent would hang it up at the next command.
   */
  readonly detached?: boolean;
}

export interface SpawnOptions extends ProgramOptions {
  /** Standard input, output and error; one word for all. Default `pipe`. `merge`: as a part of standard output. */
  readonly stdio?: Stdio | readonly [stdin: Stdio, stdout: Stdio, stderr: Stdio | 'merge'];
  /** The program never waits for its readers: so many bytes of each stream are kept, up to 1 MiB. */
  readonly keepLatestBytes?: number;
}

export interface TerminalOptions extends ProgramOptions {
  readonly rows: number;
  readonly columns: number;
  /** For the variable TERM; default `xterm-256color`. */
  readonly term?: string;
}

/**
 * Starts a program in the guest and talks with it while it runs, as Node's `spawn` does with one of this host. Answers at once; that it
 * could not be started is an `error` event: a ClientError, whose `missing` names the command where the agent has no such thing.
 */
export function spawn(client: GuestClient, path: string, args: readonly string[] = [], options: SpawnOptions = {}): GuestProcess {
  const { stdio = 'pipe', keepLatestBytes } = options;
  const [stdin, stdout, stderr] = typeof stdio === 'string' ? [stdio, stdio, stdio] as const : stdio;
  return start(client, path, args, options, { stdin: stdin === 'pipe', stdout: stdout === 'pipe', stderr: stderr === 'pipe', isTerminal: false }, {
    stdin: stdin === 'pipe' ? 'open' : 'none',
    output: stderr === 'merge' ? 'merged' : 'separated',
    ...(keepLatestBytes === undefined ? {} : { keep: 'latest', 'keep-bytes': keepLatestBytes }),
  } as const);
}

/** The same on a terminal of this size: all that it writes comes by `stdout`, and `resize` changes the size. */
export function terminal(client: GuestClient, path: string, args: readonly string[], options: TerminalOptions): GuestProcess {
  const { rows, columns, term } = options;
  return start(client, path, args, options, { stdin: true, stdout: true, stderr: false, isTerminal: true }, { terminal: { rows, columns, ...(term === undefined ? {} : { term }) } });
}

/**
 * Goes on with a program that was started before, by this host or another, from the oldest byte on that the agent keeps. What was read
 * is forgotten by the agent.
 *
 * @param program its number, as `program` of a GuestProcess or exec-list has it
 */
export function attach(client: GuestClient, program: bigint, options: ConversationOptions & { readonly stdin?: boolean; readonly isTerminal?: boolean } = {}): GuestProcess {
  const { stdin = false, isTerminal = false } = options;
  return new GuestProcess(client, { ...shapeOf(options), stdin, stdout: true, stderr: true, isTerminal, isNew: false }, async () => ({ program }));
}

function start(client: GuestClient, path: string, args: readonly string[], options: ProgramOptions, streams: Pick<ProcessShape, 'stdin' | 'stdout' | 'stderr' | 'isTerminal'>, own: object): GuestProcess {
  const { env, cwd, user, groups, timeLimitMs, unattendedLimitMs, detached = options.reconnect !== undefined || !client.isOwnConnection } = options;
  const request = {
    path,
    ...(args.length === 0 ? {} : { arg: args }),
    ...(env === undefined ? {} : { env: Object.entries(env).map(([name, value]) => (value === undefined ? name : `${name}=${value}`)) }),
    ...(cwd === undefined ? {} : { 'working-directory': cwd }),
    ...(user === undefined ? {} : { user }),
    ...(groups === undefined ? {} : { groups }),
    ...(timeLimitMs === undefined ? {} : { 'time-limit-ms': Math.ceil(timeLimitMs) }),
    ...(unattendedLimitMs === undefined ? {} : { 'unattended-limit-ms': Math.ceil(unattendedLimitMs) }),
    lifetime: detached ? 'detached' : 'connection',
    ...own,
  } as const;
  const shape = { ...shapeOf(options), ...streams, isNew: true, unattendedLimitMs };
  return new GuestProcess(client, shape, async () => {
    try {
      return await client.execute(START, request, shape.call);
    } catch (error) {
      throw lacking(error);
    }
  });
}

function shapeOf({ timeoutMs, reconnect, resumeForMs = RESUME_FOR_MS, signal, killSignal = 'SIGTERM' }: ConversationOptions): Pick<ProcessShape, 'call' | 'reconnect' | 'resumeForMs' | 'signal' | 'killSignal'> {
  return { call: timeoutMs === undefined ? {} : { timeoutMs }, reconnect, resumeForMs, signal, killSignal };
}

/** Says what an agent lacks that knows nothing of all this. */
function lacking(error: unknown): unknown {
  if (!ClientError.is(error) || error.agentClass !== 'CommandNotFound') return error;
  return new ClientError('refused', `the agent cannot talk with programs while they run: ${error.message}`, { agentClass: error.agentClass, missing: START, cause: error });
}
