// SPDX-License-Identifier: Apache-2.0
import process from 'node:process';

import { messageOf } from '../core/errors/agent-error.ts';
import { unlessAborted } from './call-limit.ts';
import { ClientError } from './client-error.ts';
import { GrowingPause } from './growing-pause.ts';
import type { GuestClient } from './guest-client.ts';

export interface FrozenOptions {
  /** Only these mount points; absent: all. */
  readonly mountPoints?: readonly string[];
  /** Milliseconds for the freeze itself: flushing can take long. Default 10 minutes, as Proxmox VE has it. */
  readonly freezeTimeoutMs?: number;
  /** Awaited when the agent has answered that it listens, before it is told to freeze. */
  readonly beforeFreeze?: () => Promise<void>;
  /** Told as soon as the freeze has failed, before a thaw makes sure that nothing of it is left, which may take long. */
  readonly freezeFailed?: (error: unknown) => void;
  /** Milliseconds for the thaw. Default 3 minutes. */
  readonly thawTimeoutMs?: number;
  /**
   * A new conversation with the same guest, to thaw through where the channel was lost, or carries nothing any more. It is closed afterwards;
   * so is the client, before: a port serves one host at a time.
   */
  readonly reconnect?: () => Promise<GuestClient>;
  /** Milliseconds for which `reconnect` is tried again after a failure. Default 30 seconds, or `thawTimeoutMs` where that is less. */
  readonly reconnectForMs?: number;
  /** Gives up: the guest is thawed at once, without a wait for the work. */
  readonly signal?: AbortSignal;
  /**
   * SIGINT, SIGTERM and SIGHUP give up, too, and have their own effect on the process afterwards, unless somebody else listens
   * to them. Default true: without it a Ctrl-C leaves the guest frozen. False for a program that gives up by `signal` itself.
   */
  readonly handleSignals?: boolean;
}

/** What `work` is told, and may ask. */
export interface FrozenGuest {
  /** File systems frozen. */
  readonly count: bigint;
  /** Throws `hold-lost` when the guest is not frozen any more. Ask before a snapshot is declared good. */
  readonly check: () => Promise<void>;
  /** Aborted when the freeze is given up: what goes on from then on copies a guest that writes. */
  readonly signal: AbortSignal;
}

const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Freezes, does the work, and thaws in every case: also when the freeze ran out of time (it may still have happened),
 * when the work failed, and when it is given up by `signal` or by a signal to the process.
 *
 * @throws ClientError `hold-lost` when the guest was thawed before the work was done, so that a snapshot that is not
 * consistent is never taken for one; `left-frozen` when the thaw could not be delivered, with what went wrong before as
 * its cause; `aborted` when it was given up
 */
export async function withFrozen<T>(client: GuestClient, work: (guest: FrozenGuest) => Promise<T>, options: FrozenOptions = {}): Promise<T> {
  const { signal, handleSignals = true } = options;
  const gaveUp = new AbortController();
  const giveUp = (): void => gaveUp.abort(signal?.reason);
  if (signal?.aborted === true) throw new ClientError('aborted', 'the freeze was given up before it began', { cause: signal.reason });
  signal?.addEventListener('abort', giveUp, { once: true });
  using watch = handleSignals ? new ProcessSignals((name) => gaveUp.abort(name)) : undefined;
  try {
    return await new Hold(client, options, gaveUp.signal).around(work);
  } finally {
    signal?.removeEventListener('abort', giveUp);
    watch?.giveBack();
  }
}

/** Keeps the first signal from ending the process, and lets it do that afterwards. */
export class ProcessSignals implements Disposable {
  readonly #listeners: ReadonlyMap<(typeof endingSignals)[number], () => void>;
  #first: (typeof endingSignals)[number] | undefined;

  constructor(came: (name: string) => void) {
    this.#listeners = new Map(endingSignals.map((name) => [name, () => {
      this.#first ??= name;
      came(name);
    }]));
    for (const [name, listener] of this.#listeners) process.on(name, listener);
  }

  /** The guest is thawed: the signal has the effect that it would have had, where nobody else sees to it. */
  giveBack(): void {
    this[Symbol.dispose]();
    if (this.#first !== undefined && process.listenerCount(this.#first) === 0) process.kill(process.pid, this.#first);
  }

  [Symbol.dispose](): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener);
  }
}

class Hold {
  readonly #client: GuestClient;
  readonly #options: FrozenOptions;
  readonly #gaveUp: AbortSignal;
  readonly #thawCall: { readonly timeoutMs: number };
  /** By which Concierge's freeze is told from a later one, where it has one. */
  #deadline: bigint | undefined;

  constructor(client: GuestClient, options: FrozenOptions, gaveUp: AbortSignal) {
    this.#client = client;
    this.#options = options;
    this.#gaveUp = gaveUp;
    this.#thawCall = { timeoutMs: options.thawTimeoutMs ?? 180_000 };
  }

  async around<T>(work: (guest: FrozenGuest) => Promise<T>): Promise<T> {
    const count = await this.#freeze();
    let result: T;
    try {
      if (count < 0n) throw new ClientError('garbage', `the agent says that it has frozen ${count} file systems`);
      this.#deadline = count > 0n ? await this.#deadlineNow() : undefined;
      result = await this.#unlessGivenUp(work({ count, check: () => this.#check(), signal: this.#gaveUp }));
      // Nothing that can be frozen: then there is no hold to lose.
      if (count > 0n) await this.#check();
    } catch (error) {
      await this.#thaw(error);
      throw error;
    }
    const thawed = await this.#thaw(undefined);
    if (thawed < count) {
      const what = thawed === 0n ? 'the guest was thawed' : `${count - thawed} of ${count} file systems were thawed`;
      throw new ClientError('hold-lost', `${what} before it was told to: what was copied meanwhile may not be consistent`);
    }
    return result;
  }

  async #freeze(): Promise<bigint> {
    const { mountPoints, freezeTimeoutMs = 600_000 } = this.#options;
    const call = { timeoutMs: freezeTimeoutMs, signal: this.#gaveUp };
    // Whoever is not there, or does not listen, has frozen nothing; that is known within the time of any other answer.
    await this.#client.synchronize({ signal: this.#gaveUp });
    await this.#options.beforeFreeze?.();
    try {
      return mountPoints === undefined
        ? await this.#client.execute('guest-fsfreeze-freeze', {}, call)
        : await this.#client.execute('guest-fsfreeze-freeze-list', { mountpoints: mountPoints }, call);
    } catch (error) {
      this.#options.freezeFailed?.(error);
      // A refusal has frozen nothing; after anything else nobody knows.
      if (!ClientError.is(error) || error.kind !== 'refused') await this.#thaw(error);
      throw error;
    }
  }

  /** Work that does not listen must not keep the guest frozen. */
  #unlessGivenUp<T>(working: Promise<T>): Promise<T> {
    return unlessAborted(working, this.#gaveUp, 'the freeze was given up');
  }

  async #check(): Promise<void> {
    const isHeld = (await this.#client.execute('guest-fsfreeze-status', {}, { ...this.#thawCall, signal: this.#gaveUp })) === 'frozen';
    if (!isHeld || (this.#deadline !== undefined && (await this.#deadlineNow()) !== this.#deadline)) {
      throw new ClientError('hold-lost', 'the guest was thawed before the work was done: what was copied meanwhile is not consistent');
    }
  }

  /** When the freeze that is on will end by itself. `undefined` where there is no such time, or the agent does not tell. */
  async #deadlineNow(): Promise<bigint | undefined> {
    try {
      return (await this.#client.execute('__org.concierge_fsfreeze-report', {}, { ...this.#thawCall, signal: this.#gaveUp }))['deadline-at'];
    } catch (error) {
      if (ClientError.is(error) && error.kind === 'refused') return undefined;
      throw error;
    }
  }

  /** @param cause what went wrong before, for the error of a thaw that fails */
  async #thaw(cause: unknown): Promise<bigint> {
    try {
      return await this.#thawAnyhow(isOfChannel(cause));
    } catch (error) {
      const reason = messageOf(error);
      throw new ClientError('left-frozen', `the guest may still be frozen, the thaw failed: ${reason}`, { cause: cause ?? error });
    }
  }

  /** @param isDoubtful the last call over this channel was given up: the channel may be one that carries nothing any more */
  async #thawAnyhow(isDoubtful: boolean): Promise<bigint> {
    const { reconnect, thawTimeoutMs = 0, reconnectForMs = Math.min(30_000, thawTimeoutMs || Infinity) } = this.#options;
    try {
      // Within the client's own time for an answer: that of the thaw is long, and the guest would stand still for all of it.
      if (isDoubtful && reconnect !== undefined) await this.#client.synchronize();
      return await this.#client.execute('guest-fsfreeze-thaw', {}, this.#thawCall);
    } catch (error) {
      if (reconnect === undefined || !isOfChannel(error)) throw error;
      // A port serves one host at a time: the next has its turn when this one has gone.
      this.#client.close();
      const pause = new GrowingPause(undefined);
      for (const until = performance.now() + reconnectForMs; ; await pause.wait()) {
        try {
          using another = await reconnect();
          return await another.execute('guest-fsfreeze-thaw', {}, this.#thawCall);
        } catch (again) {
          // An agent that has died takes a while to come back, and a connection may break again.
          if (!isOfChannel(again) || performance.now() >= until) throw again;
        }
      }
    }
  }
}

/** Of the way to the agent, not of what it said. */
const isOfChannel = (error: unknown): boolean => ClientError.is(error) && error.kind !== 'refused';
