// SPDX-License-Identifier: Apache-2.0
/** Why the agent ends. */
export type Ending =
  | { readonly kind: 'asked'; readonly signal: NodeJS.Signals }
  /** The signal's own effect on a process is what the sender expects, after the thaw. */
  | { readonly kind: 'killed'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'lost'; readonly reason: string }
  /** Everything was handed over, and the next agent goes on with it. */
  | { readonly kind: 'asleep' }
  /** The keeper has gone. */
  | { readonly kind: 'orphaned' }
  | { readonly kind: 'fatal'; readonly reason: string };

const orderly: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];

/** SIGUSR1 is among them because Node would open its debugger on it. */
const deadly: readonly NodeJS.Signals[] = process.platform === 'win32' ? ['SIGBREAK'] : ['SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM'];

export interface EndingWatch {
  /** Settles with the first reason. Later ones change nothing: a thaw that is under way is not given up. */
  readonly ending: Promise<Ending>;
  end(ending: Ending): void;
  /** Gives every signal its own effect back. */
  stop(): void;
}

/** For a process that SIGHUP must not end, and that has no log file yet which it could open anew: until it waits for its end. */
export const earlyHangUp = (): void => undefined;

/**
 * Waits for whatever ends a process while it can still thaw.
 * @param reopenLog what SIGHUP does; absent: it ends the process as it does qemu-ga
 */
export function watchForEnding(target: NodeJS.Process, reopenLog: (() => void) | undefined): EndingWatch {
  const { promise, resolve } = Promise.withResolvers<Ending>();
  const listeners: (readonly [string, (argument: unknown) => void])[] = [
    ...orderly.map((signal) => [signal, () => resolve({ kind: 'asked', signal })] as const),
    ...deadly.map((signal) => [signal, () => resolve({ kind: 'killed', signal })] as const),
    ['SIGHUP', () => (reopenLog === undefined ? resolve({ kind: 'killed', signal: 'SIGHUP' }) : reopenLog())],
    ['uncaughtException', (error) => resolve({ kind: 'fatal', reason: describe(error) })],
    ['unhandledRejection', (error) => resolve({ kind: 'fatal', reason: describe(error) })],
  ];
  for (const [event, listener] of listeners) target.on(event, listener);
  target.removeListener('SIGHUP', earlyHangUp);
  return {
    ending: promise,
    end: resolve,
    stop: () => {
      for (const [event, listener] of listeners) target.removeListener(event, listener);
    },
  };
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
