import { ClientError } from './client-error.ts';
import type { GuestClient } from './guest-client.ts';

export interface FrozenOptions {
  /** Only these mount points; absent: all. */
  readonly mountPoints?: readonly string[];
  /** Milliseconds for the freeze itself: flushing can take long. Default 10 minutes, as Proxmox VE has it. */
  readonly freezeTimeoutMs?: number;
  /** Milliseconds for the thaw. Default 3 minutes. */
  readonly thawTimeoutMs?: number;
}

/** What `work` is told, and may ask. */
export interface FrozenGuest {
  /** File systems frozen. */
  readonly count: bigint;
  /** Throws `hold-lost` when the guest is not frozen any more. Ask before a snapshot is declared good. */
  check(): Promise<void>;
}

/**
 * Freezes, does the work, and thaws in every case: also when the freeze ran out of time (it may still have happened),
 * and when the work failed. Throws `hold-lost` when the guest was thawed before the work was done, so that a snapshot that
 * is not consistent is never taken for one.
 */
export async function withFrozen<T>(client: GuestClient, work: (guest: FrozenGuest) => Promise<T>, options: FrozenOptions = {}): Promise<T> {
  const freezeCall = { timeoutMs: options.freezeTimeoutMs ?? 600_000 };
  const thawCall = { timeoutMs: options.thawTimeoutMs ?? 180_000 };
  const thaw = (): Promise<bigint> => client.execute('guest-fsfreeze-thaw', {}, thawCall);
  const check = async (): Promise<void> => {
    if ((await client.execute('guest-fsfreeze-status', {}, thawCall)) !== 'frozen') {
      throw new ClientError('hold-lost', 'the guest was thawed before the work was done: what was copied meanwhile is not consistent');
    }
  };

  let count: bigint;
  try {
    count =
      options.mountPoints === undefined
        ? await client.execute('guest-fsfreeze-freeze', {}, freezeCall)
        : await client.execute('guest-fsfreeze-freeze-list', { mountpoints: options.mountPoints }, freezeCall);
  } catch (error) {
    // A refusal has frozen nothing; after anything else nobody knows.
    if (!ClientError.is(error) || error.kind !== 'refused') await thaw().catch(() => undefined);
    throw error;
  }

  let result: T;
  try {
    result = await work({ count, check });
  } catch (error) {
    await thaw().catch(() => undefined);
    throw error;
  }
  // Nothing that can be frozen: then there is no hold to lose.
  if (count > 0n) {
    try {
      await check();
    } catch (error) {
      await thaw().catch(() => undefined);
      throw error;
    }
  }
  const thawed = await thaw();
  if (count > 0n && thawed === 0n) {
    throw new ClientError('hold-lost', 'the guest was thawed before it was told to: what was copied meanwhile may not be consistent');
  }
  return result;
}
