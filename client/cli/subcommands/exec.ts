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
import type { RunSubcommand } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

/** As ssh(1) has it: the program's own status where it ran, 255 where it could not be asked. */
const notRun = 255;
/** As timeout(1) has it. */
const notEnded = 124;
/** An exit status is one byte. That of a program for Windows is not, and what a guest says may be any number. */
const largestStatus = 255;

export const run: RunSubcommand = async ({ client, words, flags, json, stdin, stdout, stderr, isScreen, isWatched, print, complain }) => {
  const [path, ...rest] = words;
  if (path === undefined) throw new UsageError('say which program: concierge-ctl exec -- PROGRAM [ARGUMENT...]');
  const within = flags.get('within');
  if (within !== undefined && !/^\d+(\.\d+)?$/.test(within)) throw new UsageError(`--within takes a number of seconds, not '${within}'`);
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
    if (!ClientError.is(error)) throw error;
    complain(`concierge-ctl: ${harmless(messageOf(await withFrozenHint(client, error)))}\n`);
    return error.pid === undefined ? notRun : notEnded;
  }
};

const statusOf = ({ exitCode, signal = 0 }: ExecResult): number => exitCode ?? 128 + signal;

/** To a file or a program as it is; to a terminal without what it would obey. */
function passOn(bytes: Buffer, to: Writable, isTerminal: boolean): void {
  to.write(isTerminal ? harmlessLines(bytes.toString('utf8')) : bytes);
}
