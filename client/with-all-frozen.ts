// SPDX-License-Identifier: Apache-2.0
import { messageOf } from '../core/errors/agent-error.ts';
import { unlessAborted } from './call-limit.ts';
import { ClientError, type ClientErrorKind } from './client-error.ts';
import type { GuestClient } from './guest-client.ts';
import { ProcessSignals, withFrozen, type FrozenGuest, type FrozenOptions } from './with-frozen.ts';

/** One of several guests that are to be frozen together. */
export interface GuestToFreeze {
  readonly name: string;
  readonly client: GuestClient;
  readonly reconnect?: () => Promise<GuestClient>;
}

/** How long a guest stood still. */
export interface Held {
  readonly name: string;
  /** File systems frozen. */
  readonly count: bigint;
  /** Milliseconds between its answers to freeze and to thaw. */
  readonly ms: number;
}

/** What `work` is told of all guests, and may ask. */
export interface AllFrozen {
  readonly counts: ReadonlyMap<string, bigint>;
  /** Throws `hold-lost` when one of them is not frozen any more. */
  readonly check: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Milliseconds for the freeze of each: as long as one does not answer, those that are frozen stand still. */
const FREEZE_MS = 60_000;

/** What weighs most comes first: a guest that may be frozen still, a copy that is not consistent. */
const gravest: readonly ClientErrorKind[] = ['left-frozen', 'hold-lost'];

/**
 * Freezes several guests, does the work while all of them are frozen, and thaws all in every case: all or nothing. They are frozen side by
 * side when all of them answer, and thawed side by side; all are as soon as one of them could not be frozen within `freezeTimeoutMs`, here by default a
 * minute.
 *
 * @throws ClientError as `withFrozen`, naming the guests: also where one alone could not be frozen or did not hold
 */
export async function withAllFrozen<T>(guests: readonly GuestToFreeze[], work: (all: AllFrozen) => Promise<T>, options: Omit<FrozenOptions, 'reconnect' | 'beforeFreeze' | 'freezeFailed'> = {}): Promise<{ readonly result: T; readonly held: readonly Held[] }> {
  const { signal, handleSignals = true } = options;
  if (signal?.aborted === true) throw new ClientError('aborted', 'the freeze was given up before it began', { cause: signal.reason });
  const giveUp = new AbortController();
  const onAbort = (): void => giveUp.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  using watch = handleSignals ? new ProcessSignals((name) => giveUp.abort(name)) : undefined;
  try {
    return await hold(guests, work, { ...options, signal: giveUp.signal, handleSignals: false }, giveUp);
  } finally {
    signal?.removeEventListener('abort', onAbort);
    watch?.giveBack();
  }
}

async function hold<T>(guests: readonly GuestToFreeze[], work: (all: AllFrozen) => Promise<T>, options: FrozenOptions & { readonly signal: AbortSignal }, giveUp: AbortController): Promise<{ readonly result: T; readonly held: readonly Held[] }> {
  const frozen = new Map<string, FrozenGuest>();
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  // Promise.withResolvers is not in Node 20.
  const done = new Promise<T>((...settle) => ([resolve, reject] = settle));
  done.catch(() => undefined);
  const arrived = (): void => {
    if (frozen.size < guests.length || options.signal.aborted) return;
    const check = async (): Promise<void> => void (await Promise.all([...frozen.values()].map((one) => one.check())));
    work({ counts: new Map([...frozen].map(([name, { count }]) => [name, count])), check, signal: options.signal }).then(resolve, reject);
  };
  // Nobody would arrive.
  if (guests.length === 0) arrived();
  // Who does not listen is known before anybody stands still.
  let listening = 0;
  let allListen: () => void = () => undefined;
  const untilAllListen = new Promise<void>((settle) => (allListen = settle));
  const beforeFreeze = (): Promise<void> => {
    listening += 1;
    if (listening === guests.length) allListen();
    return unlessAborted(untilAllListen, options.signal, 'the freeze was given up');
  };
  const outcomes = await Promise.allSettled(guests.map(async ({ name, client, reconnect }): Promise<Held> => {
    let since = 0;
    try {
      const count = await withFrozen(client, async (guest) => {
        since = performance.now();
        frozen.set(name, guest);
        arrived();
        await done;
        return guest.count;
      }, { freezeTimeoutMs: FREEZE_MS, ...options, beforeFreeze, freezeFailed: (error) => giveUp.abort(error), ...(reconnect === undefined ? {} : { reconnect }) });
      return { name, count, ms: performance.now() - since };
    } catch (error) {
      // The others wait for one that never comes, or for work that is worth nothing.
      giveUp.abort(error);
      throw error;
    }
  }));
  const failures = outcomes.flatMap((outcome, index) => (outcome.status === 'rejected' ? [{ name: guests[index]?.name ?? '', error: outcome.reason as unknown }] : []));
  if (failures.length > 0) throw together(failures, giveUp.signal.reason);
  return { result: await done, held: outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : [])) };
}

/** One error for all: the gravest, with the names of the guests that it is true of. */
function together(failures: readonly { readonly name: string; readonly error: unknown }[], first: unknown): unknown {
  // The work itself failed, which is no guest's.
  const [{ error: only } = { error: undefined }] = failures;
  if (failures.length > 1 && failures.every(({ error }) => error === only)) return only;
  for (const kind of gravest) {
    const those = failures.filter(({ error }) => ClientError.is(error) && error.kind === kind);
    if (those.length > 0) return new ClientError(kind, those.map(({ name, error }) => `${name}: ${messageOf(error)}`).join('; '), { cause: those[0]?.error });
  }
  // The rest were given up because of the first.
  const { name = '', error } = failures.find((one) => one.error === first) ?? failures[0] ?? {};
  if (!ClientError.is(error)) return error;
  const { agentClass } = error;
  return new ClientError(error.kind, `${name}: ${error.message}`, { cause: error.cause ?? error, ...(agentClass === undefined ? {} : { agentClass }) });
}
