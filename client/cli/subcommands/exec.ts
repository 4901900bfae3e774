// SPDX-License-Identifier: Apache-2.0
import type { Buffer } from 'node:buffer';
import { buffer } from 'node:stream/consumers';
import type { Writable } from 'node:stream';

import { messageOf } from '../../../core/errors/agent-error.ts';
import { harmless, harmlessLines } from '../../../core/errors/harmless-text.ts';
import { ClientError } from '../../client-error.ts';
import { exec, type ExecResult } from '../../exec.ts';
import { withFrozenHint } from '../frozen-hint.ts';
import { jsonText } from '../print-json.ts';
import { spawn, terminal } from '../../spawn.ts';
import type { RunSubcommand, SubcommandContext } from '../terminal.ts';
import { sizeOf, talk } from '../talk.ts';
import { UsageError } from '../usage-error.ts';

/** Flags that need a program which is talked with. */
const talking = ['interactive', 'tty', 'user', 'workdir', 'env'] as const;

/** As ssh(1) has it: the program's own status where it ran, 255 where it could not be asked. */
const notRun = 255;
/** As timeout(1) has it. */
const notEnded = 124;
/** An exit status is one byte. That of a program for Windows is not, and what a guest says may be any number. */
const largestStatus = 255;

export const run: RunSubcommand = async (context) => {
  const { client, words, flags, json, stdin, stdout, stderr, isScreen, isWatched, print, complain } = context;
  const [path, ...rest] = words;
  if (path === undefined) throw new UsageError('say which program: concierge-ctl exec -- PROGRAM [ARGUMENT...]');
  const within = flags.get('within');
  if (within !== undefined && !/^\d+(\.\d+)?$/.test(within)) throw new UsageError(`--within takes a number of seconds, not '${within}'`);
  if (talking.some((flag) => flags.has(flag))) return await converse(context, path, rest, within);
  try {
    const result = await exec(client, path, {
      arguments: rest,
      ...(flags.has('stdin') ? { input: await buffer(stdin) } : {}),
      ...(within === undefined ? {} : { withinMs: Number(within) * 1000 }),
    });
    if (json) {
      print(`${jsonText(result)}\n`);
    } else {
      passOn(result.stdout, stdout, isScreen === true);
      passOn(result.stderr, stderr, isWatched);
      if (result.truncated) complain('concierge-ctl: the output was longer than the agent keeps; the rest is lost\n');
    }
    const status = statusOf(result);
    if (status > largestStatus || status < 0) {
      complain(`concierge-ctl: the program ended with status ${status}, for which an exit status has no room\n`);
      return largestStatus;
    }
    return status;
  } catch (error) {
    if (!ClientError.is(error) || error.kind === 'misused') throw error;
    complain(`concierge-ctl: ${harmless(messageOf(await withFrozenHint(client, error)))}\n`);
    return error.pid === undefined ? notRun : notEnded;
  }
};

const statusOf = ({ exitCode, signal = 0 }: ExecResult): number => exitCode ?? 128 + signal;

/** To a file or a program as it is; to a terminal without what it would obey. */
function passOn(bytes: Buffer, to: Writable, isTerminal: boolean): void {
  to.write(isTerminal ? harmlessLines(bytes.toString('utf8')) : bytes);
}

async function converse(context: SubcommandContext, path: string, rest: readonly string[], within: string | undefined): Promise<number> {
  const { client, flags, stdout, isTyped = false, reconnect } = context;
  const [user, cwd, env] = [flags.get('user'), flags.get('workdir'), flags.get('env')];
  if (flags.has('stdin')) throw new UsageError('--stdin reads all input first, and -i passes it on as it comes: one of them');
  if (context.json) throw new UsageError('--json is for what has ended: leave -i, -t, -u, -w and -e out');
  if (flags.has('tty') && !isTyped) throw new UsageError('-t needs a terminal: standard input is none');
  const options = {
    ...(user === undefined ? {} : { user }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env: variablesOf(env) }),
    ...(within === undefined ? {} : { timeLimitMs: Number(within) * 1000 }),
    ...(reconnect === undefined ? {} : { reconnect }),
  };
  if (flags.has('tty')) return await talk(terminal(client, path, rest, { ...options, ...sizeOf(stdout) }), context, { hasInput: flags.has('interactive'), isRaw: true });
  const hasInput = flags.has('interactive');
  return await talk(spawn(client, path, rest, { ...options, stdio: [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'] }), context, { hasInput, isRaw: false });
}

/** `NAME=VALUE`; NAME alone removes it. */
function variablesOf(list: string): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(list.split('\0').map((one) => {
    const at = one.indexOf('=');
    return at === -1 ? [one, undefined] : [one.slice(0, at), one.slice(at + 1)];
  }));
}
