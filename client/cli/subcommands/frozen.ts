// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';

import { messageOf } from '../../../core/errors/agent-error.ts';
import { harmless } from '../../../core/errors/harmless-text.ts';
import { ClientError } from '../../client-error.ts';
import { withFrozen, type FrozenGuest } from '../../with-frozen.ts';
import { reportOf } from './status.ts';
import { isEndingSignal, SignalWatch, statusOfSignal, type EndingSignal } from '../signals.ts';
import type { RunSubcommand, SubcommandContext } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

/** The freeze did not hold: what was copied is not consistent. */
const notHeld = 122;
/** The thaw could not be delivered. */
const leftFrozen = 123;
/** As timeout(1) has it. */
const overTime = 124;
/** As env(1) and timeout(1) have it: this program failed, the command is no program, there is none. */
const notFrozen = 125;
const notExecutable = 126;
const notFound = 127;

/** How long a command that is told to end may take, in milliseconds. */
const endWithinMs = 10_000;

/** `frozen [--timeout SECONDS] -- COMMAND [ARGUMENT...]`: runs a command of the host while the guest is frozen. */
export const run: RunSubcommand = async (context) => {
  const { client, words, flags, complain, reconnect, signals = process } = context;
  const [program, ...rest] = words;
  if (program === undefined) throw new UsageError('say what is to be done meanwhile: concierge-ctl frozen -- COMMAND [ARGUMENT...]');
  const timeout = flags.get('timeout');
  if (timeout !== undefined && !/^\d+(\.\d+)?$/.test(timeout)) throw new UsageError(`--timeout takes a number of seconds, not '${timeout}'`);
  const only = flags.get('only')?.split(',').filter((one) => one !== '');
  const giveUp = new AbortController();
  const command = new Command(program, rest);
  using _watch = new SignalWatch(signals, (signal) => {
    command.tellToEnd(signal);
    giveUp.abort(signal);
  });
  const timer = timeout === undefined ? undefined : setTimeout(() => {
    command.tellToEnd('SIGTERM');
    giveUp.abort('timeout');
  }, Number(timeout) * 1000);
  let status: number | undefined;
  try {
    return await withFrozen(client, async (guest) => {
      await tell(context, guest);
      status = await command.run();
      return status;
    }, {
      signal: giveUp.signal,
      handleSignals: false,
      ...(only === undefined ? {} : { mountPoints: only }),
      ...(reconnect === undefined ? {} : { reconnect }),
    });
  } catch (error) {
    if (error instanceof CommandNotRun) {
      complain(`concierge-ctl: ${harmless(error.message)}\n`);
      return error.status;
    }
    if (!ClientError.is(error)) throw error;
    const why = error.kind === 'aborted' && giveUp.signal.reason === 'timeout' ? `--timeout ${timeout ?? ''} is over: ` : '';
    complain(`concierge-ctl: ${why}${sentenceOf(error, status)}\n`);
    return statusOf(error, giveUp.signal, command.wasRun);
  } finally {
    clearTimeout(timer);
    await command.ended();
  }
};

/** What somebody who waits should know; a guest in which nothing can be frozen makes no copy consistent. */
async function tell({ client, complain }: SubcommandContext, { count }: FrozenGuest): Promise<void> {
  if (count === 0n) throw new ClientError('refused', 'nothing in the guest was frozen (concierge-ctl freeze --dry-run says why)');
  const report = await reportOf(client);
  if (report?.['deadline-at'] === undefined) complain('concierge-ctl: this agent has no deadline: if this program is killed, the guest stays frozen until somebody thaws it\n');
}

function sentenceOf(error: ClientError, status: number | undefined): string {
  const ended = status === undefined ? '' : ` (the command ended with status ${status})`;
  return `${harmless(messageOf(error))}${ended}`;
}

function statusOf({ kind }: ClientError, givenUp: AbortSignal, wasRun: boolean): number {
  if (kind === 'left-frozen') return leftFrozen;
  if (givenUp.aborted) return isEndingSignal(givenUp.reason) ? statusOfSignal(givenUp.reason) : overTime;
  // Also where the channel was lost while the command ran: whether the freeze held, nobody knows.
  return wasRun ? notHeld : notFrozen;
}

class CommandNotRun extends Error {
  override readonly name = 'CommandNotRun';
  readonly status: number;

  constructor(program: string, error: NodeJS.ErrnoException) {
    super(error.code === 'ENOENT' ? `there is no program ${program}` : `${program} cannot be run: ${error.code ?? error.message}`);
    this.status = error.code === 'ENOENT' ? notFound : notExecutable;
  }
}

/** The command of the host. */
class Command {
  readonly #program: string;
  readonly #words: readonly string[];
  #child: ChildProcess | undefined;
  #ended: Promise<number> | undefined;
  #toldToEnd = false;

  constructor(program: string, words: readonly string[]) {
    this.#program = program;
    this.#words = words;
  }

  get wasRun(): boolean {
    return this.#child !== undefined;
  }

  /** Answers the status as a shell has it. @throws CommandNotRun */
  run(): Promise<number> {
    if (this.#toldToEnd) return new Promise(() => undefined);
    const child = spawn(this.#program, this.#words, { stdio: 'inherit' });
    this.#child = child;
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', (error) => reject(new CommandNotRun(this.#program, error)));
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    });
    return this.#ended;
  }

  /** The guest is being thawed: what it copies from now on is worth nothing. */
  tellToEnd(signal: EndingSignal): void {
    this.#toldToEnd = true;
    this.#child?.kill(signal);
  }

  /** Waits until it has ended; one that was told to and does not is killed. */
  async ended(): Promise<void> {
    const timer = this.#toldToEnd ? setTimeout(() => this.#child?.kill('SIGKILL'), endWithinMs) : undefined;
    await this.#ended?.catch(() => undefined);
    clearTimeout(timer);
  }
}
