// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import { guidValue } from '../com.ts';
import { registryNumber } from '../registry.ts';
import { waitFor } from '../wait.ts';
import { within } from '../../shared/within.ts';
import { comSecurityProblem, joinApartment } from './apartment.ts';
import { FreezeChannel } from './channel.ts';
import {
  badState, holdWritesTimeout, objectNotFound, unexpectedProviderError, unsupportedContext, volumeNotSupported, vssError,
} from './codes.ts';
import { backupTypes, optionsKey, providerId } from './identity.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { providerStopped, stopProvider } from './provider-host.ts';
import { type AsyncOperation, type BackupComponents, hangingCall, isFinished, Steps } from './steps.ts';
import { addComponents, writers, type Participants, type WriterStatus } from './writers.ts';

/** VSS_CTX_APP_ROLLBACK, with the flags that keep VSS from writing to a snapshot which does not exist (qemu-ga 10.2). */
const TRANSPORTABLE = 0x20;
const context = 0x0200_002b;

/** How a snapshot set came to its end. */
export interface SnapshotEnd {
  /** A whole sentence, where what the host took may not be consistent. */
  readonly error?: AgentError;
}

export interface SnapshotSetOptions {
  /** After which the provider lets go by itself. */
  readonly holdLimitMs: number;
  readonly limits?: Limits;
  /** `warn`: a writer that fails fails nothing, also one that has a part in the freeze. */
  readonly writers?: WriterRule;
}

export type WriterRule = 'require' | 'warn';

/** A writer failed and said that it may not fail the next time. */
export class RetryableWriter extends Error {
  readonly failure: AgentError;

  constructor(failure: AgentError) {
    super(failure.message);
    this.failure = failure;
  }
}

/**
 * One snapshot set of VSS, for one freeze: prepared, then held, then completed or given up. Every wait is bounded, and
 * nothing is left behind whichever way it ends.
 */
export class SnapshotSet {
  readonly #steps: Steps;
  readonly #components: BackupComponents;
  readonly #options: SnapshotSetOptions;
  /** From the begin of the set until its hold is over: then other backup programs are not offered our provider. */
  #channel: FreezeChannel | undefined;
  #participants: Participants = new Set();
  readonly #warnings = new Set<string>();
  /** The outcome of DoSnapshotSet; `undefined` as long as it has not begun. */
  #running: { readonly operation: AsyncOperation; readonly over: Promise<number | undefined> } | undefined;

  constructor(steps: Steps, components: BackupComponents, options: SnapshotSetOptions) {
    this.#steps = steps;
    this.#components = components;
    this.#options = options;
  }

  /** Writers that failed and have no part in the freeze, a sentence each. */
  get warnings(): readonly string[] {
    const security = comSecurityProblem();
    return [...(security === undefined ? [] : [security]), ...this.#warnings];
  }

  /**
   * @throws as VSS says; then nothing is left behind. A failed error as long as a call of an earlier freeze hangs: each would
   * take a thread, and VSS makes one set at a time anyway
   */
  static async create(options: SnapshotSetOptions): Promise<SnapshotSet> {
    const hanging = hangingCall();
    if (hanging !== undefined) throw AgentError.failed(`VSS does not answer: a call of an earlier freeze has not come back yet (${hanging})`);
    joinApartment();
    await providerStopped();
    const steps = new Steps(options.limits ?? defaultLimits);
    return new SnapshotSet(steps, await steps.createBackupComponents(), options);
  }

  /**
   * Everything up to the freeze. Answers the volumes that VSS does not support, by name.
   *
   * @throws as VSS says, or which writers failed, or `RetryableWriter`; the set must then be given up
   */
  async prepare(volumes: readonly string[]): Promise<ReadonlySet<string>> {
    const components = this.#components;
    await this.#steps.demand('failed to initialize for backup', components.InitializeForBackup(null), this.#steps.limits.startMs);
    await this.#steps.demand('failed to set backup state', components.SetBackupState(1, 1, backupType(), 0));
    await this.#setContext();
    this.#participants = await addComponents(this.#steps, components, volumes);
    const set = Buffer.alloc(16);
    await this.#steps.demand('failed to start snapshot set', components.StartSnapshotSet(set));
    // Before the first volume is added: VSS then asks the provider whether it takes it.
    this.#channel = await FreezeChannel.open({ holdLimitMs: this.#options.holdLimitMs, set, volumes });
    const unsupported = new Set<string>();
    for (const volume of volumes) if (!(await this.#add(volume))) unsupported.add(volume);
    if (unsupported.size === volumes.length) return unsupported;
    await this.#steps.complete('failed to prepare for backup', this.#steps.limits.prepareMs, (out) => components.PrepareForBackup(out));
    await this.#demandHealthyWriters('failed to prepare for backup');
    return unsupported;
  }

  async #setContext(): Promise<void> {
    const text = 'failed to set backup context';
    const code = await this.#steps.attempt(text, this.#components.SetContext(context));
    if (code === unsupportedContext) await this.#steps.demand(text, this.#components.SetContext(context & ~TRANSPORTABLE));
    else if (code < 0) throw vssError(text, code);
  }

  async #add(volume: string): Promise<boolean> {
    const text = `failed to add ${volume} to snapshot set`;
    const code = await this.#steps.attempt(text, this.#components.AddToSnapshotSet(volume, guidValue(providerId), Buffer.alloc(16)));
    if (volumeNotSupported.has(code)) return false;
    if (code < 0) throw vssError(text, code);
    return true;
  }

  async #demandHealthyWriters(text: string): Promise<void> {
    const failed = await this.#failedWriters();
    if (failed.length === 0) return;
    const error = AgentError.failed(`${text}: ${failed.map(({ failure }) => failure).join('; ')}`);
    throw failed.every(({ retryable }) => retryable === true) ? new RetryableWriter(error) : error;
  }

  /** Writers that have failed and have a part in the freeze; the others become warnings. */
  async #failedWriters(): Promise<readonly WriterStatus[]> {
    const failed = (await writers(this.#steps, this.#components)).filter(({ failure }) => failure !== undefined);
    const counts = ({ instance }: WriterStatus): boolean => this.#options.writers !== 'warn' && this.#participants.has(instance);
    for (const one of failed) {
      const why = this.#participants.has(one.instance) ? 'vss-writers=warn' : 'nothing of it lies whole on what is frozen';
      if (!counts(one)) this.#warnings.add(`${one.failure ?? one.name}: ${why}`);
    }
    return failed.filter(counts);
  }

  async #failures(): Promise<readonly string[]> {
    return (await this.#failedWriters()).flatMap(({ failure }) => failure ?? []);
  }

  /**
   * Freezes. Resolves once writers are frozen, and volumes flushed and held.
   *
   * @throws as VSS says, with the writers that failed; the set must then be given up
   */
  async hold(withinMs: number): Promise<void> {
    const operation = await this.#steps.begin('failed to do snapshot set', (out) => this.#components.DoSnapshotSet(out));
    const over = this.#steps.outcomeOf(operation, withinMs + this.#steps.limits.snapshotMs);
    this.#running = { operation, over };
    if (this.#channel === undefined) throw new TypeError('a set that was not prepared');
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
    const failed = await this.#failures().catch(() => []);
    return failed.length === 0 ? error : AgentError.failed(`${error.message}; ${failed.join('; ')}`, error);
  }

  /** Settles when the hold ends without `end`: the provider let go, or VSS gave up. */
  get over(): Promise<unknown> {
    return this.#running?.over ?? new Promise(() => {});
  }

  /** Ends the hold and completes the backup. Never rejects; afterwards nothing is left. */
  async end(): Promise<SnapshotEnd> {
    try {
      this.#channel?.letGo();
      const code = this.#running === undefined ? badState : await this.#running.over;
      if (!isFinished(code)) {
        const error = await this.#failure(code);
        return error === undefined ? {} : { error };
      }
      this.#channel?.close();
      const failed = await this.#failures();
      await this.#steps.complete('failed to complete backup', this.#steps.limits.completeMs, (out) => this.#components.BackupComplete(out));
      // As told before the end: a writer that failed while it was frozen did not hold what the host has taken.
      return failed.length === 0 ? {} : { error: AgentError.failed(`the freeze was not consistent: ${failed.join('; ')}`) };
    } catch (error) {
      await this.#abort();
      return { error: AgentError.is(error) ? error : AgentError.failed(String(error)) };
    } finally {
      this.#release();
    }
  }

  /** What came of a set that VSS did not finish. It is given up. */
  async #failure(code: number | undefined): Promise<AgentError | undefined> {
    const failed = hangingCall() === undefined ? await this.#failures().catch(() => []) : [];
    await this.#abort();
    // Expected where VSS looks for the snapshot that the provider did not take (before Server 2008 SP2).
    if (code === objectNotFound) return undefined;
    const error = code === undefined
      ? AgentError.failed('failed to do snapshot set: VSS did not come to an end')
      : vssError(texts[code] ?? 'failed to do snapshot set', code);
    return failed.length === 0 ? error : AgentError.failed(`${error.message}; ${failed.join('; ')}`, error);
  }

  /** Gives up whatever has been begun. Never rejects; afterwards nothing is left. */
  async giveUp(): Promise<void> {
    this.#channel?.close();
    await this.#abort();
    this.#release();
  }

  /** VSS hears of it only when its own work has ended: what is still on is told to end, and waited for. */
  async #abort(): Promise<void> {
    const text = 'failed to abort the backup';
    const { limits } = this.#steps;
    if (this.#running !== undefined && (await within(0, this.#running.over)) === undefined) {
      await this.#steps.cancel(text, this.#running.operation);
      await within(limits.cancelMs, this.#running.over);
    }
    await this.#steps.attempt(text, this.#components.AbortBackup()).catch(() => undefined);
  }

  /** Each object goes when no call is inside it any more; one that hangs keeps its own. */
  #release(): void {
    this.#channel?.close();
    this.#running?.operation.release();
    this.#components.release();
    // Only where VSS was asked for a volume can it have started the provider.
    if (this.#channel !== undefined) stopProvider();
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
