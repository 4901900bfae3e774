// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';

import { messageOf } from '../../../core/errors/agent-error.ts';
import { harmless } from '../../../core/errors/harmless-text.ts';
import { unlessAborted } from '../../call-limit.ts';
import { ClientError } from '../../client-error.ts';
import type { GuestClient } from '../../guest-client.ts';
import { withAllFrozen } from '../../with-all-frozen.ts';
import { withFrozen } from '../../with-frozen.ts';
import { reportOf } from './status.ts';
import { isEndingSignal, SignalWatch, statusOfSignal, type EndingSignal } from '../signals.ts';
import { table } from '../table.ts';
import type { Target } from '../target.ts';
import type { RunSubcommand, RunTogether, SubcommandContext } from '../terminal.ts';
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

type Told = Pick<SubcommandContext, 'words' | 'flags' | 'complain' | 'signals'>;

/** Freezes, does the work, thaws: one guest or many. */
type Freeze = (work: () => Promise<number>, options: { readonly signal: AbortSignal; readonly handleSignals: false; readonly mountPoints?: readonly string[]; readonly freezeTimeoutMs?: number }) => Promise<number>;

/** `frozen [--timeout SECONDS] -- COMMAND [ARGUMENT...]`: runs a command of the host while the guest is frozen. */
export const run: RunSubcommand = (context) => around(context, (work, options) => {
  const { client, reconnect } = context;
  return withFrozen(client, async ({ count }) => {
    await tell(context, client, '', count);
    return await work();
  }, { ...options, ...(reconnect === undefined ? {} : { reconnect }) });
});

/** The same while all of several guests are frozen. Tells afterwards how long each stood still. */
export const runTogether: RunTogether = (context, guests) => around(context, async (work, options) => {
  const clients = await allOpened(guests, options.signal);
  try {
    const toFreeze = guests.map(({ name, open }, index) => ({ name, client: clients[index] as GuestClient, reconnect: open }));
    const { result, held } = await withAllFrozen(toFreeze, async ({ counts }) => {
      await Promise.all(toFreeze.map(({ name, client }) => tell(context, client, name, counts.get(name) ?? 0n)));
      return await work();
    }, options);
    if (context.json) for (const { name, count, ms } of held) context.print(`${JSON.stringify({ guest: name, filesystems: Number(count), 'held-ms': Math.round(ms) })}\n`);
    else context.complain(table([{ title: 'GUEST' }, { title: 'FILE SYSTEMS', right: true }, { title: 'STOOD STILL', right: true }], held.map(({ name, count, ms }) => [name, String(count), `${Math.round(ms)} ms`])));
    return result;
  } finally {
    for (const client of clients) client.close();
  }
});

/** All or none. @throws ClientError with the name of the one that is not reached */
async function allOpened(guests: readonly Target[], signal: AbortSignal): Promise<readonly GuestClient[]> {
  const outcomes = await Promise.allSettled(guests.map(({ open }) => unlessAborted(open(), signal)));
  const clients = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failed = outcomes.findIndex(({ status }) => status === 'rejected');
  if (failed === -1) return clients;
  for (const client of clients) client.close();
  const { reason } = outcomes[failed] as PromiseRejectedResult;
  throw ClientError.is(reason) ? new ClientError(reason.kind, `${guests[failed]?.name ?? ''}: ${reason.message}`, { cause: reason }) : reason;
}

async function around({ words, flags, complain, signals = process }: Told, freeze: Freeze): Promise<number> {
  const [program, ...rest] = words;
  if (program === undefined) throw new UsageError('say what is to be done meanwhile: concierge-ctl frozen -- COMMAND [ARGUMENT...]');
  const timeout = flags.get('timeout');
  if (timeout !== undefined && !/^\d+(\.\d+)?$/.test(timeout)) throw new UsageError(`--timeout takes a number of seconds, not '${timeout}'`);
  const freezeWithin = flags.get('freeze-within');
  if (freezeWithin !== undefined && (!/^\d+(\.\d+)?$/.test(freezeWithin) || Number(freezeWithin) === 0)) throw new UsageError(`--freeze-within takes a number of seconds, not '${freezeWithin}'`);
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
    return await freeze(async () => {
      status = await command.run();
      return status;
    }, { signal: giveUp.signal, handleSignals: false, ...(only === undefined ? {} : { mountPoints: only }), ...(freezeWithin === undefined ? {} : { freezeTimeoutMs: Number(freezeWithin) * 1000 }) });
  } catch (error) {
    // What copies is worth nothing any more: of several guests one may be thawed while others are waited for.
    command.tellToEnd('SIGTERM');
    if (error instanceof CommandNotRun) {
      complain(`concierge-ctl: ${harmless(error.message)}\n`);
      return error.status;
    }
    if (!ClientError.is(error) || error.kind === 'misused') throw error;
    const why = error.kind === 'aborted' && giveUp.signal.reason === 'timeout' ? `--timeout ${timeout ?? ''} is over: ` : '';
    complain(`concierge-ctl: ${why}${sentenceOf(error, status)}\n`);
    return statusOf(error, giveUp.signal, command.wasRun);
  } finally {
    clearTimeout(timer);
    await command.ended();
  }
}

/** What somebody who waits should know; a guest in which nothing can be frozen makes no copy consistent. */
async function tell({ complain }: Pick<SubcommandContext, 'complain'>, client: GuestClient, name: string, count: bigint): Promise<void> {
  const of = name === '' ? '' : `${harmless(name)}: `;
  if (count === 0n) throw new ClientError('refused', `${of}nothing in the guest was frozen (concierge-ctl freeze --dry-run says why)`);
  const report = await reportOf(client);
  if (report?.['deadline-at'] === undefined) complain(`concierge-ctl: ${of}this agent has no deadline: if this program is killed, the guest stays frozen until somebody thaws it\n`);
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
