// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { constants } from 'node:os';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import type { ProcessEnd } from '../../../core/ports/process-end.ts';
import type { InteractiveProgram, ProgramRequest, ProgramStream, TerminalProgram, TerminalSize } from '../../../core/ports/programs.ts';
import { type NativeAddon, nativeAddon } from '../native.ts';

interface InteractiveAddon extends NativeAddon {
  /**
   * Resolves once the program runs. `changes` of the environment are `NAME=VALUE` or `NAME`; `identity` is uid, gid and the
   * supplementary groups. `onReady` gets 0 for output, 1 for errors, 2 for input, once after each time that there was nothing or
   * no room; `onEnd` when it has ended.
   */
  startInteractive(
    path: string,
    argumentsAfterName: readonly string[],
    changes: readonly (string | Uint8Array)[],
    directory: string | undefined,
    identity: readonly number[] | undefined,
    hasInput: boolean,
    merged: boolean,
    size: readonly [rows: number, columns: number] | undefined,
    onReady: (what: number) => void,
    onEnd: (exited: boolean, status: number) => void,
  ): Promise<NativeProgram>;
  /** A user's ids by name, or this process's own; `groups` by name instead of the user's. */
  lookupIdentity(user: string | undefined, groups: readonly string[] | undefined): Promise<LookedUp | Unknown>;
  /** See processes.ts. */
  takeLeftPipe(fd: number): void;
}

interface LookedUp {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: Uint8Array;
  readonly shell: Uint8Array;
}

interface Unknown {
  readonly unknownUser?: true;
  readonly unknownGroup?: string;
}

interface NativeProgram {
  readonly pid: number;
  /** −1: nothing there now. */
  readonly read: (stream: number, into: Uint8Array) => number;
  /** −1: nobody reads any more. */
  readonly write: (bytes: Uint8Array) => number;
  readonly endInput: () => void;
  readonly signal: (signal: number, group: boolean) => void;
  readonly resize: (rows: number, columns: number) => void;
  readonly kill: () => void;
  /** Nothing is told any more. Answers the pipes that others may still write to, which are the caller's then. */
  readonly letGo: () => readonly number[];
}

const ways = ['output', 'errors', 'input'] as const;

/** Signals by their names, as this kernel numbers them. */
const signals: Readonly<Record<string, number | undefined>> = constants.signals;

export const startOnPipes = (request: ProgramRequest): Promise<InteractiveProgram> => start(request, undefined);

export const startOnTerminal = (request: ProgramRequest, size: TerminalSize): Promise<TerminalProgram> => start(request, size);

async function start(request: ProgramRequest, size: TerminalSize | undefined): Promise<TerminalProgram> {
  const addon = nativeAddon() as InteractiveAddon;
  const { identity, variables } = await identityOf(addon, request);
  const ended = Promise.withResolvers<ProcessEnd>();
  let listener: (what: ProgramStream | 'input') => void = () => undefined;
  const program = await addon.startInteractive(
    request.path,
    request.arguments,
    [...variables, ...request.environmentChanges],
    request.workingDirectory,
    identity,
    request.stdin === 'open',
    request.errors === 'merge',
    size && [size.rows, size.columns],
    (what) => listener(ways[what] ?? 'output'),
    (exited, status) => ended.resolve(exited ? { exitCode: status } : { signal: status }),
  );
  return {
    pid: program.pid,
    read: (stream, into) => negativeIsNone(program.read(stream === 'output' ? 0 : 1, into)),
    write: (bytes) => negativeIsNone(program.write(bytes)),
    endInput: program.endInput,
    onReady: (given) => {
      listener = given;
    },
    finished: ended.promise,
    signal: (signal, group) => {
      const number = typeof signal === 'number' ? signal : signals[`SIG${signal}`];
      if (number === undefined) throw posixError('EINVAL', { syscall: 'kill' });
      program.signal(number, group);
    },
    kill: program.kill,
    // What others still write goes nowhere, and they go on.
    release: () => {
      for (const fd of program.letGo()) addon.takeLeftPipe(fd);
    },
    resize: ({ rows, columns }) => program.resize(rows, columns),
  };
}

const negativeIsNone = (count: number): number | undefined => (count < 0 ? undefined : count);

interface IdentityOf {
  readonly identity: readonly number[] | undefined;
  /** Of the environment, as su(1) sets them. */
  readonly variables: readonly Uint8Array[];
}

async function identityOf(addon: InteractiveAddon, { user, groups }: ProgramRequest): Promise<IdentityOf> {
  if (user === undefined && groups === undefined) return { identity: undefined, variables: [] };
  const found = await addon.lookupIdentity(user, groups);
  if (!('uid' in found)) {
    throw AgentError.failed(found.unknownGroup === undefined ? `the user '${user}' does not exist` : `the group '${found.unknownGroup}' does not exist`);
  }
  const { uid, gid, home, shell } = found;
  // Who is that user already, and may become no other, need not become it.
  const isOwn = groups === undefined && process.geteuid?.() === uid && uid !== 0;
  const variable = (name: string, value: string | Uint8Array): Uint8Array => Buffer.concat([Buffer.from(`${name}=`), Buffer.from(value)]);
  return {
    identity: isOwn ? undefined : [uid, gid, ...found.groups],
    variables: user === undefined ? [] : [variable('HOME', home), variable('USER', user), variable('LOGNAME', user), variable('SHELL', shell.length === 0 ? '/bin/sh' : shell)],
  };
}
