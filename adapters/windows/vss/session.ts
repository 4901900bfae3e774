// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf } from '../../../core/errors/agent-error.ts';
import type { FreezeEnd, FreezeOutcome, FreezeRequest, FreezeSession, FreezeTarget, ThawOutcome } from '../../../core/ports/freezing.ts';
import type { SnapshotSet } from './snapshot-set.ts';

/** How long VSS holds writes, whoever asks for more. */
export const systemLimitMs = 10_000;

/** What the session keeps outside of itself. */
export interface SessionOwner {
  /** A thaw that is still to come will be told of this: what the host has taken may not be consistent. */
  owe(error: AgentError): void;
  now(): bigint;
}

const limitText = "couldn't hold writes: fsfreeze is limited up to 10 seconds";

/** A freeze held by VSS: for ten seconds at most, and for as long as the agent lives. */
export class VssSession implements FreezeSession {
  readonly recoveryData: Readonly<Record<string, string>> = {};
  readonly ended: Promise<FreezeEnd>;
  readonly #settleEnded: (end: FreezeEnd) => void;
  readonly #set: SnapshotSet;
  readonly #targets: readonly FreezeTarget[];
  readonly #unsupported: ReadonlySet<string>;
  readonly #request: Pick<FreezeRequest, 'deadlineMs' | 'freezeWithinMs'>;
  readonly #owner: SessionOwner;
  #frozen: readonly FreezeTarget[] = [];
  #limit: NodeJS.Timeout | undefined;
  #thawing: Promise<readonly ThawOutcome[]> | undefined;

  constructor(
    set: SnapshotSet,
    targets: readonly FreezeTarget[],
    unsupported: ReadonlySet<string>,
    request: Pick<FreezeRequest, 'deadlineMs' | 'freezeWithinMs'>,
    owner: SessionOwner,
  ) {
    this.#set = set;
    this.#targets = targets;
    this.#unsupported = unsupported;
    this.#request = request;
    this.#owner = owner;
    const { promise, resolve } = Promise.withResolvers<FreezeEnd>();
    this.ended = promise;
    this.#settleEnded = resolve;
  }

  get warnings(): readonly string[] {
    return this.#set.warnings;
  }

  /** VSS flushes between the freeze of the writers and the hold: earlier would be too early. */
  async flush(): Promise<void> {}

  async freeze(): Promise<readonly FreezeOutcome[]> {
    const candidates = this.#targets.filter(({ id }) => !this.#unsupported.has(id));
    const left: FreezeOutcome[] = this.#targets.filter(({ id }) => this.#unsupported.has(id)).map((target) => ({ ...target, result: 'unsupported' }));
    const [first] = candidates;
    if (first === undefined) return left;
    const begun = process.hrtime.bigint();
    try {
      await this.#set.hold(this.#request.freezeWithinMs === 0 ? 60_000 : this.#request.freezeWithinMs);
    } catch (error) {
      this.#thawing = this.#set.giveUp().then(() => []);
      return [{ ...first, result: 'failed', error: messageOf(error) }, ...left];
    }
    this.#frozen = candidates;
    this.#watch();
    const [frozenAt, freezeNs] = [this.#owner.now(), process.hrtime.bigint() - begun];
    const outcomes = new Map([...candidates.map((target): FreezeOutcome => ({ ...target, result: 'frozen', frozenAt, freezeNs })), ...left].map((one) => [one.id, one]));
    return this.#targets.flatMap(({ id }) => outcomes.get(id) ?? []);
  }

  /** The hold may end by our deadline, by the system's, or because VSS gives up. */
  #watch(): void {
    const { deadlineMs } = this.#request;
    const ours = deadlineMs !== 0 && deadlineMs < systemLimitMs;
    this.#limit = setTimeout(() => {
      if (ours) this.#endBy('deadline', 'the deadline of the freeze (freeze-timeout) came before a thaw');
      else this.#endBy('system-limit', limitText);
    }, ours ? deadlineMs : systemLimitMs);
    void this.#set.over.then(() => this.#endBy('system-limit', 'VSS ended the hold before a thaw'));
  }

  #endBy(reason: FreezeEnd['reason'], detail: string): void {
    if (this.#thawing !== undefined) return;
    const at = this.#owner.now();
    this.#thawing = this.#end().then(({ outcomes, error }) => {
      // Whatever VSS makes of it: the host was not done.
      this.#owner.owe(error ?? AgentError.failed(detail));
      this.#settleEnded({ reason, detail: error?.message ?? detail, at, thawed: outcomes });
      return outcomes;
    });
  }

  /**
   * @throws failed error when what the host has taken may not be consistent; everything is thawed nevertheless
   */
  thaw(): Promise<readonly ThawOutcome[]> {
    this.#thawing ??= this.#frozen.length === 0 ? this.#set.giveUp().then(() => []) : this.#thaw();
    return this.#thawing;
  }

  async #thaw(): Promise<readonly ThawOutcome[]> {
    const { outcomes, error } = await this.#end();
    if (error === undefined) return outcomes;
    this.#owner.owe(error);
    throw error;
  }

  async #end(): Promise<{ readonly outcomes: readonly ThawOutcome[]; readonly error?: AgentError }> {
    clearTimeout(this.#limit);
    const { error } = await this.#set.end();
    const thawedAt = this.#owner.now();
    const outcomes = this.#frozen.toReversed().map((target) => ({ ...target, thawed: true, thawedAt }));
    return { outcomes, ...(error === undefined ? {} : { error }) };
  }
}
