// SPDX-License-Identifier: Apache-2.0
import { StringDecoder } from 'node:string_decoder';
import type { Readable, Writable } from 'node:stream';

import { messageOf } from '../../core/errors/agent-error.ts';
import { harmless, harmlessLines } from '../../core/errors/harmless-text.ts';
import type { GuestProcess } from '../guest-process.ts';
import { RawTerminal, WayOut } from './raw-terminal.ts';
import { endingSignals, statusOfSignal, type EndingSignal } from './signals.ts';
import type { SubcommandContext } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** As ssh(1) has it: the program's own status where it ran, 255 where it could not be asked. */
export const NOT_RUN = 255;
/** As timeout(1) has it. */
export const NOT_ENDED = 124;

/** How long somebody waits who has had enough. */
const PATIENCE_MS = 1000;

export interface TalkOptions {
  /** Standard input is passed on. */
  readonly hasInput: boolean;
  /** The program has a terminal, and this one obeys it. */
  readonly isRaw: boolean;
}

type Screen = Writable & { readonly rows?: number; readonly columns?: number };

/** The size of the terminal that a program's output is shown on. */
export const sizeOf = ({ rows = 24, columns = 80 }: Screen): { rows: number; columns: number } => ({ rows: Math.max(1, rows), columns: Math.max(1, columns) });

/** Passes everything on between a program and this terminal until it has ended. Answers the exit status; the terminal is as it was then. */
export async function talk(child: GuestProcess, context: SubcommandContext, { hasInput, isRaw }: TalkOptions): Promise<number> {
  const { stdin, stdout, stderr, isScreen = false, isWatched, signals = process } = context;
  const { promise, resolve } = deferred<number>();
  let error: Error | undefined;
  let left: number | undefined;
  let patience: NodeJS.Timeout | undefined;
  let asked: EndingSignal | 'SIGQUIT' | undefined;
  // In raw mode a line feed alone does not go back to the left.
  const tell = (text: string): void => void stderr.write(isRaw ? `\r\n${harmless(text)}\r\n` : `${harmless(text)}\n`);
  child.on('error', (thrown) => {
    error ??= thrown;
    resolve(NOT_RUN);
  });
  child.on('interrupted', (thrown) => tell(`concierge-ctl: ${messageOf(thrown)}; trying to go on`));
  child.on('resumed', () => tell('concierge-ctl: the conversation goes on'));
  child.on('lost', (stream, bytes) => tell(`concierge-ctl: ${bytes} bytes of ${stream} are not kept any more`));
  child.on('close', () => resolve(left ?? (child.timedOut ? NOT_ENDED : statusOf(child))));
  /** Hangs the program up, and waits a moment for its end: the signal is on its way then. */
  const leave = (status: number): void => {
    left ??= status;
    if (!child.kill('SIGHUP', { group: true })) resolve(status);
    clearTimeout(patience);
    patience = setTimeout(() => resolve(status), PATIENCE_MS);
  };
  // The first is passed on to the program, as a terminal would do it; the second ends this conversation.
  const onSignal = new Map([...endingSignals, 'SIGQUIT' as const].map((signal) => [signal, (): void => {
    const number = signal === 'SIGQUIT' ? 131 : statusOfSignal(signal);
    if (asked !== undefined || !child.kill(signal, { group: true })) leave(number);
    asked = signal;
  }] as const));
  const onResize = (): void => {
    const { rows, columns } = sizeOf(stdout);
    child.resize(rows, columns).catch(() => undefined);
  };
  let stopInput: (() => void) | undefined;
  const raw = isRaw && hasInput ? new RawTerminal(stdin) : undefined;
  try {
    for (const [signal, listener] of onSignal) signals.on(signal, listener);
    if (isRaw) {
      stdout.on('resize', onResize);
      // It may have changed before the program ran.
      child.once('spawn', onResize);
    }
    if (child.stdout !== null) show(child.stdout, stdout, isScreen && !isRaw);
    if (child.stderr !== null) show(child.stderr, stderr, isWatched);
    if (hasInput && child.stdin !== null) stopInput = passOn(stdin, child.stdin, isRaw ? () => leave(NOT_RUN) : undefined);
    const status = await promise;
    if (error !== undefined) tell(`concierge-ctl: ${messageOf(error)}`);
    else if (child.timedOut) tell('concierge-ctl: the program was ended by its time limit');
    return status;
  } finally {
    raw?.[Symbol.dispose]();
    stdout.off('resize', onResize);
    for (const [signal, listener] of onSignal) signals.off(signal, listener);
    clearTimeout(patience);
    child.detach();
    stopInput?.();
  }
}

function statusOf({ exitCode, signalNumber }: Pick<GuestProcess, 'exitCode' | 'signalNumber'>): number {
  const status = exitCode ?? 128 + (signalNumber ?? 0);
  return status < 0 || status > 255 ? 255 : status;
}

/** To a file, a program, or a terminal that was asked for as it is; to another terminal without what it would obey. */
function show(from: Readable, to: Writable, isHarmless: boolean): void {
  const decoder = new StringDecoder('utf8');
  from.on('data', (chunk: Buffer) => {
    if (to.write(isHarmless ? harmlessLines(decoder.write(chunk)) : chunk)) return;
    from.pause();
    to.once('drain', () => from.resume());
  });
  // Half a character.
  if (isHarmless) from.on('end', () => void to.write(harmlessLines(decoder.end())));
}

/** Answers how it stops. */
function passOn(stdin: Readable, to: Writable, leave: (() => void) | undefined): () => void {
  to.on('error', () => undefined);
  const wayOut = new WayOut();
  const onData = (chunk: Buffer): void => {
    const { keys, isOut } = leave === undefined ? { keys: chunk, isOut: false } : wayOut.take(chunk);
    if (isOut) leave?.();
    if (keys.length === 0 || to.destroyed || to.writableEnded || to.write(keys)) return;
    stdin.pause();
    to.once('drain', () => stdin.resume());
  };
  const onEnd = (): void => void to.end();
  stdin.on('data', onData).on('end', onEnd);
  return () => {
    stdin.off('data', onData).off('end', onEnd).pause();
  };
}

/** The number of a program of `ps`. @throws UsageError */
export function programOf(word: string | undefined): bigint {
  if (word === undefined || !/^\d{1,16}$/.test(word)) throw new UsageError("say which program, by its number in 'concierge-ctl ps'");
  return BigInt(word);
}

function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((given) => { resolve = given; });
  return { promise, resolve };
}
