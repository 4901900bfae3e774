// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { AgentError } from '../../../core/errors/agent-error.ts';
import type { KeptDescriptors } from '../../../core/ports/keeper.ts';
import type { InteractiveProgram, ProgramRequest, TerminalProgram, TerminalSize } from '../../../core/ports/programs.ts';
import { nativeAddon } from '../native.ts';
import { conversed, type ConversationAddon, KeptProgram, type NativeProgram, programOf } from './conversation.ts';

interface InteractiveAddon extends ConversationAddon {
  /**
   * Resolves once the program runs. `changes` of the environment are `NAME=VALUE` or `NAME`; `identity` is uid, gid and the
   * supplementary groups. `onReady` gets 0 for output, 1 for errors, 2 for input, once after each time that there was nothing or
   * no room, and 3 when one was closed by itself; `onEnd` comes when it has ended, before its number is free. With `records`, what is
   * read and written is recorded.
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
    records: boolean,
  ): Promise<NativeProgram>;
  /** A user's ids by name, or this process's own; `groups` by name instead of the user's. */
  lookupIdentity(user: string | undefined, groups: readonly string[] | undefined): Promise<LookedUp | Unknown>;
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

/** Where `kept` is given, the next agent can go on with a program that is to outlive this one. */
export const startOnPipes = (request: ProgramRequest, kept?: KeptDescriptors): Promise<InteractiveProgram> => start(request, undefined, kept);

export const startOnTerminal = (request: ProgramRequest, size: TerminalSize, kept?: KeptDescriptors): Promise<TerminalProgram> => start(request, size, kept);

async function start(request: ProgramRequest, size: TerminalSize | undefined, kept: KeptDescriptors | undefined): Promise<TerminalProgram> {
  const addon = nativeAddon() as InteractiveAddon;
  const { identity, variables } = await identityOf(addon, request);
  const one = conversed();
  const native = await addon.startInteractive(
    request.path,
    request.arguments,
    [...variables, ...request.environmentChanges],
    request.workingDirectory,
    identity,
    request.stdin === 'open',
    request.errors === 'merge',
    size && [size.rows, size.columns],
    one.onReady,
    one.onEnd,
    kept !== undefined && request.outlives !== undefined,
  );
  if (kept !== undefined && request.outlives !== undefined) one.kept = KeptProgram.begin(kept, native, request.outlives);
  return programOf(native, one);
}

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
