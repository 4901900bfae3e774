import { AgentError } from '../../../core/errors/agent-error.ts';
import { IVssBackupComponents } from '../bindings/vssapi.ts';
import { guidValue } from '../com.ts';
import { registryNumber } from '../registry.ts';
import { waitFor } from '../wait.ts';
import { joinApartment } from './apartment.ts';
import { FreezeChannel } from './channel.ts';
import {
  badState, holdWritesTimeout, objectNotFound, unexpectedProviderError, unsupportedContext, volumeNotSupported, vssError,
} from './codes.ts';
import { backupTypes, optionsKey, providerId } from './identity.ts';
import {
  attempt, type AsyncOperation, type BackupComponents, beginOperation, complete, createBackupComponents, demand, isFinished, outcomeOf,
} from './steps.ts';
import { addComponents, failedWriters } from './writers.ts';

/** VSS_CTX_APP_ROLLBACK, with the flags that keep VSS from writing to a snapshot which does not exist (qemu-ga 10.2). */
const TRANSPORTABLE = 0x20;
const context = 0x0200_002b;

/** Writers may flush whole databases while they prepare. */
const prepareLimitMs = 180_000;
const completeLimitMs = 60_000;
/** DoSnapshotSet has its own limits for everything but the provider, and that one lets go. */
const snapshotLimitMs = 120_000;

/** How a snapshot set came to its end. */
export interface SnapshotEnd {
  /** A whole sentence, where what the host took may not be consistent. */
  readonly error?: AgentError;
}

export interface SnapshotSetOptions {
  /** After which the provider lets go by itself. */
  readonly holdLimitMs: number;
}

/**
 * One snapshot set of VSS, for one freeze: prepared, then held, then completed or given up. Every wait is bounded, and
 * nothing is left behind whichever way it ends.
 */
export class SnapshotSet {
  readonly #components: BackupComponents;
  readonly #channel: FreezeChannel;
  /** The outcome of DoSnapshotSet; `undefined` as long as it has not begun. */
  #running: { readonly operation: AsyncOperation; readonly over: Promise<number | undefined> } | undefined;
  #released = false;

  constructor(components: BackupComponents, channel: FreezeChannel) {
    this.#components = components;
    this.#channel = channel;
  }

  /** @throws as VSS says; then nothing is left behind */
  static async create({ holdLimitMs }: SnapshotSetOptions): Promise<SnapshotSet> {
    joinApartment();
    const channel = await FreezeChannel.open(holdLimitMs);
    try {
      return new SnapshotSet(await createBackupComponents(IVssBackupComponents), channel);
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  /**
   * Everything up to the freeze. Answers the volumes that VSS does not support, by name.
   *
   * @throws as VSS says, or which writers failed; the set must then be given up
   */
  async prepare(volumes: readonly string[]): Promise<ReadonlySet<string>> {
    const components = this.#components;
    await demand('failed to initialize for backup', components.InitializeForBackup.async(null));
    await demand('failed to set backup state', components.SetBackupState.async(1, 1, backupType(), 0));
    await this.#setContext();
    await addComponents(components);
    await demand('failed to start snapshot set', components.StartSnapshotSet.async(Buffer.alloc(16)));
    const unsupported = new Set<string>();
    for (const volume of volumes) if (!(await this.#add(volume))) unsupported.add(volume);
    if (unsupported.size === volumes.length) return unsupported;
    await complete('failed to prepare for backup', prepareLimitMs, (out) => components.PrepareForBackup.async(out));
    await this.#demandHealthyWriters('failed to prepare for backup');
    return unsupported;
  }

  async #setContext(): Promise<void> {
    const text = 'failed to set backup context';
    const code = await attempt(text, this.#components.SetContext.async(context));
    if (code === unsupportedContext) await demand(text, this.#components.SetContext.async(context & ~TRANSPORTABLE));
    else if (code < 0) throw vssError(text, code);
  }

  async #add(volume: string): Promise<boolean> {
    const text = `failed to add ${volume} to snapshot set`;
    const code = await attempt(text, this.#components.AddToSnapshotSet.async(volume, guidValue(providerId), Buffer.alloc(16)));
    if (volumeNotSupported.has(code)) return false;
    if (code < 0) throw vssError(text, code);
    return true;
  }

  async #demandHealthyWriters(text: string): Promise<void> {
    const failed = await failedWriters(this.#components);
    if (failed.length > 0) throw AgentError.failed(`${text}: ${failed.join('; ')}`);
  }

  /**
   * Freezes. Resolves once writers are frozen, and volumes flushed and held.
   *
   * @throws as VSS says, with the writers that failed; the set must then be given up
   */
  async hold(withinMs: number): Promise<void> {
    const operation = await beginOperation('failed to do snapshot set', (out) => this.#components.DoSnapshotSet.async(out));
    const over = outcomeOf(operation, withinMs + snapshotLimitMs);
    this.#running = { operation, over };
    const wait = waitFor(this.#channel.frozen, withinMs);
    const first = await Promise.race([wait.signalled, over.then((code) => ({ code }))]);
    if (first === true) return;
    wait.cancel();
    if (first === false) throw AgentError.failed('timeout when try to receive Frozen event from VSS provider');
    throw await this.#refusal(first.code);
  }

  /** Why DoSnapshotSet ended before anything was held. */
  async #refusal(code: number | undefined): Promise<AgentError> {
    const error = code === undefined || isFinished(code) || code >= 0
      ? AgentError.failed('DoSnapshotSet exited without Frozen event')
      : vssError('failed to do snapshot set', code);
    const writers = await failedWriters(this.#components).catch(() => []);
    return writers.length === 0 ? error : AgentError.failed(`${error.message}; ${writers.join('; ')}`, error);
  }

  /** Settles when the hold ends without `end`: the provider let go, or VSS gave up. */
  get over(): Promise<unknown> {
    return this.#running?.over ?? new Promise(() => {});
  }

  /** Ends the hold and completes the backup. Never rejects; afterwards nothing is left. */
  async end(): Promise<SnapshotEnd> {
    try {
      this.#channel.letGo();
      const code = (await this.#running?.over) ?? badState;
      if (!isFinished(code)) return await this.#giveUpWith(code);
      const writers = await failedWriters(this.#components);
      await complete('failed to complete backup', completeLimitMs, (out) => this.#components.BackupComplete.async(out));
      // As told before the end: a writer that failed while it was frozen did not hold what the host has taken.
      return writers.length === 0 ? {} : { error: AgentError.failed(`the freeze was not consistent: ${writers.join('; ')}`) };
    } catch (error) {
      await this.#abort();
      return { error: AgentError.is(error) ? error : AgentError.failed(String(error)) };
    } finally {
      this.#release();
    }
  }

  async #giveUpWith(code: number): Promise<SnapshotEnd> {
    const writers = await failedWriters(this.#components).catch(() => []);
    await this.#abort();
    // Expected where VSS looks for the snapshot that the provider did not take (before Server 2008 SP2).
    if (code === objectNotFound) return {};
    const text = texts[code] ?? 'failed to do snapshot set';
    const error = vssError(text, code);
    return { error: writers.length === 0 ? error : AgentError.failed(`${error.message}; ${writers.join('; ')}`, error) };
  }

  /** Gives up whatever has been begun. Never rejects; afterwards nothing is left. */
  async giveUp(): Promise<void> {
    this.#channel.letGo();
    await this.#abort();
    this.#release();
  }

  async #abort(): Promise<void> {
    await attempt('failed to abort the backup', this.#components.AbortBackup.async()).catch(() => undefined);
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#channel.close();
    const running = this.#running;
    // An operation that hangs keeps its objects: releasing them under it would be the end of the process.
    if (running === undefined) this.#components.Release();
    else {
      void running.over.then((code) => {
        if (code === undefined) return;
        running.operation.Release();
        this.#components.Release();
      });
    }
  }
}

const texts: Readonly<Record<number, string>> = {
  [holdWritesTimeout]: "couldn't hold writes: fsfreeze is limited up to 10 seconds",
  [unexpectedProviderError]: 'unexpected error in VSS provider',
};

/** `copy` where nothing is set: a full backup would let databases cut their logs, although nobody has them now. */
function backupType(): number {
  const set = registryNumber(optionsKey, 'VssOption');
  return set !== undefined && set >= backupTypes.full && set <= backupTypes.copy ? set : backupTypes.copy;
}
