// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../../../core/errors/agent-error.ts';
import { posixErrorOf, posixNumber } from '../../../core/errors/posix-errno.ts';
import type { FreezeEnd, FreezeOutcome, FreezeSession, FrozenTarget, ThawOutcome } from '../../../core/ports/freezing.ts';
import type { GuardianLink, StartedGuardian } from './guardian.ts';
import type { HeldMounts } from './held-mounts.ts';
import { thawOutcome } from './thaw-outcome.ts';

/** A guardian that is silent for so long beyond its own limits is stopped or broken. */
const silenceMs = 20_000;

export type Heard = readonly [verb: string, fields: readonly string[]];

export interface GuardedSessionOptions extends StartedGuardian {
  /** In the order of freezing: the guardian calls them by their place in it. */
  readonly targets: readonly FrozenTarget[];
  readonly recoveryData: Readonly<Record<string, string>>;
  readonly freezeWithinMs: number;
  /** How long the guardian may flush; 0: for ever. */
  readonly flushLimitMs: number;
  /** False for a session that an earlier agent began. A fresh one flushes already. */
  readonly fresh: boolean;
  /** What the guardian has said so far. */
  readonly early: readonly Heard[];
  /** Whether no other session of this agent has begun since. */
  readonly isLatest: () => boolean;
  /** The way out when the guardian is lost: thaws these, without it. */
  readonly thawDirectly: (targets: readonly FrozenTarget[]) => Promise<readonly ThawOutcome[]>;
  /** The agent's own descriptors of the targets, where they could be had. */
  readonly held: HeldMounts | undefined;
  /** What should be logged, once. */
  readonly remarks: readonly string[];
  /** The freeze is over, and the guardian, which goes soon, waits for nothing in the kernel. `isThawed`: and nothing failed to thaw. */
  readonly onThawed: (guardian: StartedGuardian, isThawed: boolean) => void;
}

/** A freeze session held by a guardian process. */
export class GuardedSession implements FreezeSession {
  readonly recoveryData: Readonly<Record<string, string>>;
  readonly remarks: readonly string[];
  readonly ended: Promise<FreezeEnd>;
  readonly #options: GuardedSessionOptions;
  readonly #link: GuardianLink;
  readonly #settleEnded: (end: FreezeEnd) => void;
  readonly #flushed = new Map<number, { readonly error: number; readonly ns: bigint }>();
  readonly #thawed = new Map<number, ThawOutcome>();
  readonly #unfinished = new Set<number>();
  readonly #stops: readonly (() => void)[];
  #flushing: boolean;
  #mayBeFrozen: boolean;
  /** Why the guardian ended the freeze; `undefined` as long as it has not said so. */
  #reason: string | undefined;
  #thawing: Promise<readonly ThawOutcome[]> | undefined;

  constructor(options: GuardedSessionOptions) {
    this.#options = options;
    this.#link = options.link;
    this.#flushing = options.fresh;
    this.#mayBeFrozen = !options.fresh;
    this.recoveryData = options.recoveryData;
    this.remarks = options.remarks;
    const { promise, resolve } = Promise.withResolvers<FreezeEnd>();
    this.ended = promise;
    this.#settleEnded = resolve;
    this.#stops = [this.#link.listen((verb, fields) => this.#hear(verb, fields)), this.#link.onClosed(() => this.#lost())];
    for (const [verb, fields] of options.early) this.#hear(verb, fields);
  }

  async flush(): Promise<void> {
    if (!this.#flushing) return;
    const { flushLimitMs } = this.#options;
    const done = await this.#link.next(['flush-done'], flushLimitMs === 0 ? undefined : flushLimitMs + silenceMs);
    // It keeps its limit even where a disk does not answer: one that says nothing is stopped or broken.
    if (done === undefined) this.#kill();
  }

  async freeze(): Promise<readonly FreezeOutcome[]> {
    const { fresh, freezeWithinMs } = this.#options;
    if (!fresh) throw AgentError.failed('this session was frozen by an earlier agent');
    const outcomes = new Map<number, FreezeOutcome>();
    const stop = this.#link.listen((verb, fields) => {
      if (verb === 'frozen') this.#hearFrozen(outcomes, fields);
    });
    await this.flush();
    this.#mayBeFrozen = true;
    this.#link.send('freeze\n');
    const done = await this.#link.next(['freeze-done'], freezeWithinMs === 0 ? undefined : freezeWithinMs + silenceMs);
    stop();
    if (done === undefined) this.#kill();
    const verdict = done?.fields[0];
    // From now on the guardian holds on even if this agent dies: its word may have reached the host.
    if (verdict === 'frozen') this.#link.send('hold\n');
    if (verdict !== 'frozen' && ![...outcomes.values()].some(({ result }) => result === 'failed')) this.#blame(outcomes, verdict);
    return [...outcomes.values()];
  }

  thaw(): Promise<readonly ThawOutcome[]> {
    this.#thawing ??= this.#thaw();
    return this.#thawing;
  }

  async #thaw(): Promise<readonly ThawOutcome[]> {
    if (this.#reason === undefined) {
      // One that somebody has stopped would not hear of it.
      this.#options.signal('SIGCONT');
      this.#link.send('thaw\n');
      await this.#link.next(['ended'], silenceMs);
      if (this.#reason !== undefined && this.#options.fresh && this.#unfinished.size === 0) this.#hand(this.#options);
    }
    return this.#settle();
  }

  /** What the guardian says from now on is about others. */
  #hand({ pid, link, signal }: StartedGuardian): void {
    for (const stop of this.#stops) stop();
    const isThawed = [...this.#thawed.values()].every(({ error }) => error === undefined);
    this.#options.onThawed({ pid, link, signal }, isThawed);
  }

  /** What came of the thaw, once the guardian is through or lost; then it is done without it. */
  async #settle(): Promise<readonly ThawOutcome[]> {
    if (this.#reason === undefined && this.#mayBeFrozen) {
      this.#kill();
      await this.#thawDirectly(this.#options.targets);
    }
    const outcomes = this.#options.targets.flatMap((_, index) => this.#thawed.get(index) ?? []).toReversed();
    this.#letGo(outcomes);
    return outcomes;
  }

  async #thawDirectly(targets: readonly FrozenTarget[]): Promise<void> {
    for (const outcome of await this.#options.thawDirectly(targets.toReversed())) {
      const index = this.#options.targets.findIndex(({ id }) => id === outcome.id);
      // What the guardian thawed before it was lost is not frozen any more now.
      if (this.#thawed.get(index)?.thawed !== true) this.#thawed.set(index, outcome);
    }
  }

  /** Of what is thawed for certain: the rest is held for whoever tries next. */
  #letGo(outcomes: readonly ThawOutcome[]): void {
    const frozen = new Set(outcomes.filter(({ error }) => error !== undefined).map(({ id }) => id));
    for (const index of this.#unfinished) frozen.add(this.#options.targets[index]?.id ?? '');
    this.#options.held?.settle(this.#options.targets.filter(({ id }) => !frozen.has(id)).map(({ id }) => id));
  }

  #kill(): void {
    this.#options.signal('SIGKILL');
  }

  /** The freeze is over. Where nobody asked for it, this is news. */
  #end(): void {
    // A failure to freeze is told by `freeze`, and how it was undone by `thaw`.
    if (this.#thawing !== undefined || !this.#mayBeFrozen || this.#reason === 'failure') return;
    this.#thawing = this.#settle();
    const end = { ...explain(this.#reason), at: BigInt(Date.now()) * 1_000_000n };
    this.#thawing.then(
      (thawed) => this.#settleEnded({ ...end, thawed }),
      (error: unknown) => this.#settleEnded({ ...end, detail: withContext(end.detail, error).message, thawed: [] }),
    );
  }

  #lost(): void {
    if (this.#reason === undefined) {
      this.#options.held?.restore();
      this.#end();
      return;
    }
    // A guardian stays for calls that hang. If it was killed instead, what they froze in the end has no keeper.
    const unfinished = this.#options.targets.filter((_, index) => this.#unfinished.has(index));
    if (unfinished.length > 0 && this.#options.isLatest()) this.#options.thawDirectly(unfinished.toReversed()).catch(() => {});
  }

  #hear(verb: string, fields: readonly string[]): void {
    switch (verb) {
      case 'flushed': {
        const [index, error, ns] = numbers(fields);
        this.#flushed.set(Number(index), { error: Number(error), ns: ns ?? 0n });
        break;
      }
      case 'flush-done':
        this.#flushing = false;
        break;
      case 'thawed':
        this.#hearThawed(fields);
        break;
      case 'ended':
        this.#reason = fields[0] ?? '';
        this.#end();
        break;
      default:
    }
  }

  #hearThawed(fields: readonly string[]): void {
    const [index = 0n, error = 0n, thawedAt = 0n] = numbers(fields);
    const target = this.#options.targets[Number(index)];
    if (target === undefined) return;
    const stillFreezing = Number(error) === posixNumber('EINPROGRESS');
    if (stillFreezing || Number(error) === posixNumber('ETIMEDOUT')) this.#unfinished.add(Number(index));
    // The guardian thaws it when it comes out of the kernel: nobody else can do anything about it until then.
    this.#thawed.set(Number(index), thawOutcome(target, stillFreezing ? 0 : Number(error), thawedAt));
  }

  #hearFrozen(outcomes: Map<number, FreezeOutcome>, fields: readonly string[]): void {
    const [index = 0n, error = 0n, frozenAt = 0n, freezeNs = 0n] = numbers(fields);
    const target = this.#options.targets[Number(index)];
    if (target === undefined || Number(error) === posixNumber('ECANCELED')) return;
    const flushed = this.#flushed.get(Number(index));
    outcomes.set(Number(index), {
      id: target.id,
      mountPoint: target.mountPoint,
      ...this.#result(target, Number(error)),
      ...(frozenAt !== 0n && { frozenAt }),
      ...(flushed !== undefined && { flushNs: flushed.ns }),
      freezeNs,
    });
  }

  #result(target: FrozenTarget, error: number): Pick<FreezeOutcome, 'result' | 'error'> {
    if (error === 0) return { result: 'frozen' };
    if (error === posixNumber('EOPNOTSUPP')) return { result: 'unsupported' };
    if (error === posixNumber('EBUSY')) return { result: 'busy' };
    const why = error === posixNumber('ETIMEDOUT')
      ? `not frozen within ${this.#options.freezeWithinMs / 1000} s`
      : posixErrorOf(error).message;
    return { result: 'failed', error: `failed to freeze ${target.mountPoint}: ${why}` };
  }

  /** Freezing ended early although none failed: the first that it did not come to bears the reason. */
  #blame(outcomes: Map<number, FreezeOutcome>, verdict: string | undefined): void {
    const index = Math.max(0, this.#options.targets.findIndex((_, place) => !outcomes.has(place)));
    const target = this.#options.targets[index];
    if (target === undefined) return;
    const { detail } = explain(verdict);
    outcomes.set(index, {
      id: target.id,
      mountPoint: target.mountPoint,
      result: 'failed',
      error: `failed to freeze ${target.mountPoint}: ${detail}`,
    });
  }
}

/** @throws failed error for what is no number: the link counts as lost then */
export const numbers = (fields: readonly string[]): readonly bigint[] =>
  fields.map((field) => {
    if (!/^-?\d{1,20}$/.test(field)) throw AgentError.failed('the freeze guardian said something else where a number belongs');
    return BigInt(field);
  });

function explain(reason = ''): Pick<FreezeEnd, 'reason' | 'detail'> {
  switch (reason) {
    case 'deadline':
      return { reason: 'deadline', detail: 'the deadline of the freeze (freeze-timeout) came before a thaw' };
    case 'elsewhere':
      return { reason: 'elsewhere', detail: 'thawed through the guardian by somebody else, such as concierge-ga thaw' };
    case 'signal':
      return { reason: 'elsewhere', detail: 'the guardian was asked to end while no agent was there' };
    default:
      return { reason: 'holder-lost', detail: 'the freeze guardian has ended unexpectedly' };
  }
}
