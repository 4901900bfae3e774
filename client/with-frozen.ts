import { messageOf } from '../core/errors/agent-error.ts';
import { ClientError } from './client-error.ts';
import type { GuestClient } from './guest-client.ts';

export interface FrozenOptions {
  /** Only these mount points; absent: all. */
  readonly mountPoints?: readonly string[];
  /** Milliseconds for the freeze itself: flushing can take long. Default 10 minutes, as Proxmox VE has it. */
  readonly freezeTimeoutMs?: number;
  /** Milliseconds for the thaw. Default 3 minutes. */
  readonly thawTimeoutMs?: number;
  /** A new conversation with the same guest, to thaw through where the channel was lost meanwhile. Closed afterwards. */
  readonly reconnect?: () => Promise<GuestClient>;
}

/** What `work` is told, and may ask. */
export interface FrozenGuest {
  /** File systems frozen. */
  readonly count: bigint;
  /** Throws `hold-lost` when the guest is not frozen any more. Ask before a snapshot is declared good. */
  readonly check: () => Promise<void>;
}

/**
 * Freezes, does the work, and thaws in every case: also when the freeze ran out of time (it may still have happened),
 * and when the work failed.
 *
 * @throws ClientError `hold-lost` when the guest was thawed before the work was done, so that a snapshot that is not
 * consistent is never taken for one; `left-frozen` when the thaw could not be delivered, with what went wrong before as
 * its cause
 */
export async function withFrozen<T>(client: GuestClient, work: (guest: FrozenGuest) => Promise<T>, options: FrozenOptions = {}): Promise<T> {
  const hold = new Hold(client, options);
  const count = await hold.freeze();
  let result: T;
  try {
    result = await work({ count, check: () => hold.check() });
    // Nothing that can be frozen: then there is no hold to lose.
    if (count > 0n) await hold.check();
  } catch (error) {
    await hold.thaw(error);
    throw error;
  }
  const thawed = await hold.thaw(undefined);
  if (count > 0n && thawed === 0n) {
    throw new ClientError('hold-lost', 'the guest was thawed before it was told to: what was copied meanwhile may not be consistent');
  }
  return result;
}

class Hold {
  readonly #client: GuestClient;
  readonly #options: FrozenOptions;
  readonly #thawCall: { readonly timeoutMs: number };

  constructor(client: GuestClient, options: FrozenOptions) {
    this.#client = client;
    this.#options = options;
    this.#thawCall = { timeoutMs: options.thawTimeoutMs ?? 180_000 };
  }

  async freeze(): Promise<bigint> {
    const { mountPoints, freezeTimeoutMs = 600_000 } = this.#options;
    const call = { timeoutMs: freezeTimeoutMs };
    try {
      return mountPoints === undefined
        ? await this.#client.execute('guest-fsfreeze-freeze', {}, call)
        : await this.#client.execute('guest-fsfreeze-freeze-list', { mountpoints: mountPoints }, call);
    } catch (error) {
      // A refusal has frozen nothing; after anything else nobody knows.
      if (!ClientError.is(error) || error.kind !== 'refused') await this.thaw(error);
      throw error;
    }
  }

  async check(): Promise<void> {
    if ((await this.#client.execute('guest-fsfreeze-status', {}, this.#thawCall)) !== 'frozen') {
      throw new ClientError('hold-lost', 'the guest was thawed before the work was done: what was copied meanwhile is not consistent');
    }
  }

  /** @param cause what went wrong before, for the error of a thaw that fails */
  async thaw(cause: unknown): Promise<bigint> {
    try {
      return await this.#thawAnyhow();
    } catch (error) {
      const reason = messageOf(error);
      throw new ClientError('left-frozen', `the guest may still be frozen, the thaw failed: ${reason}`, { cause: cause ?? error });
    }
  }

  async #thawAnyhow(): Promise<bigint> {
    const { reconnect } = this.#options;
    try {
      return await this.#client.execute('guest-fsfreeze-thaw', {}, this.#thawCall);
    } catch (error) {
      if (reconnect === undefined || !ClientError.is(error) || error.kind === 'refused') throw error;
      using another = await reconnect();
      return await another.execute('guest-fsfreeze-thaw', {}, this.#thawCall);
    }
  }
}
