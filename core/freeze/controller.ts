import { AgentError, withContext, messageOf } from '../errors/agent-error.ts';
import type { Timer } from '../ports/clock.ts';
import type { Backend } from '../ports/index.ts';
import type { FreezeEnd, FreezeMarkerData, FreezeSession, FrozenTarget } from '../ports/freezing.ts';
import { FreezeState } from '../state/freeze-state.ts';
import { HookRound } from './hook-round.ts';
import { hooksOnly, recoverSession, thawLeftBehind } from './left-behind.ts';
import { forgetMarker, nanoseconds, type FreezeParts } from './parts.ts';
import type { FreezePlan } from './plan.ts';
import { FreezeRecord, type FreezeReport } from './record.ts';
import { beginSession, decide, demandSuccess, planNow, writeMarker } from './steps.ts';
import { firstFailure, thawDirectly, thawSession, type BegunFreeze } from './thawing.ts';

/** A freeze that is on. */
interface HeldFreeze extends BegunFreeze {
  readonly hooks: HookRound;
  /** On `Clock.monotonic`; `undefined` without a deadline of ours. */
  readonly deadline: bigint | undefined;
  readonly overdue: Timer | undefined;
}

/** How long after the deadline the agent takes the holder of the session for broken. */
const overdueMs = 5_000;

/**
 * Runs a freeze from the first hook to the last: hooks, plan, marker, flush, freeze; and whatever ends it. One step at a
 * time, whoever asks; only status, report and the ending of the agent do not wait for their turn.
 */
export class FreezeController {
  readonly #parts: FreezeParts;
  readonly #state = new FreezeState();
  #turn: Promise<unknown> = Promise.resolve();
  #record: FreezeRecord | undefined;
  /** A session is begun until it is frozen, and held from then on. */
  #begun: BegunFreeze | undefined;
  #held: HeldFreeze | undefined;
  /** What is frozen still, for all that is known, after a thaw that failed. */
  #remains: readonly FrozenTarget[] = [];
  #ending = false;

  /** The controller of a backend that can freeze; `undefined` for one that can't. */
  static on({ fileSystem, hooks, clock }: Backend, rest: Pick<FreezeParts, 'stateStore' | 'log' | 'settings'>): FreezeController | undefined {
    const freezing = fileSystem?.freezing;
    return freezing && new FreezeController({ freezing, hooks, clock, ...rest });
  }

  constructor(parts: FreezeParts) {
    this.#parts = parts;
  }

  /** Whether commands that could touch a disk are refused: from the first hook of a freeze to the last of its thaw. */
  get isFrozen(): boolean {
    return this.#state.phase !== 'thawed';
  }

  /**
   * What the host is told. `frozen` only once everything is: a host that takes its snapshot on this word must not be
   * early. A deadline that has passed counts although its news are still on their way.
   */
  get status(): 'thawed' | 'frozen' {
    const held = this.#held;
    if (held === undefined) return 'thawed';
    return held.deadline !== undefined && this.#parts.clock.monotonic() >= held.deadline ? 'thawed' : 'frozen';
  }

  /** What the freeze that is on, or else the last one, did. */
  report(): FreezeReport {
    return this.#record?.report(this.status) ?? { status: this.status, filesystems: [], 'left-out': [], hooks: [] };
  }

  /** What a freeze would do now. Touches nothing. @throws failed error when the list of mounts cannot be read */
  plan(mountPoints?: readonly string[]): Promise<FreezePlan> {
    return planNow(this.#parts, mountPoints);
  }

  /**
   * Freezes, and answers how many file systems were frozen; with 0 nothing is.
   *
   * @throws command-not-found error while a freeze is on; failed or os error, a whole sentence: then nothing is frozen
   */
  async freeze(mountPoints?: readonly string[]): Promise<number> {
    if (this.#state.phase !== 'thawed' || this.#ending) {
      throw new AgentError('command-not-found', 'Command guest-fsfreeze-freeze has been disabled: the command is not allowed');
    }
    this.#state.enter('freezing');
    return this.#inTurn(() => this.#freeze(mountPoints));
  }

  /**
   * Thaws everything that is frozen, by whomever, and answers how many file systems that were. Waits for a freeze that
   * is under way. Hooks run in any case.
   *
   * @throws failed error of a hook, or of a file system that would not thaw; everything else is thawed nevertheless
   */
  thaw(): Promise<number> {
    return this.#inTurn(() => this.#thaw());
  }

  /** Nothing stays frozen when the agent ends; a freeze that is under way is called off. Never rejects. */
  async thawBeforeExit(): Promise<void> {
    this.#ending = true;
    if (this.#state.phase === 'thawed' && this.#remains.length === 0) return;
    this.#parts.log.warning('the agent ends: frozen file systems are thawed first');
    const trying = async (step: () => Promise<unknown> | undefined): Promise<void> => {
      try {
        await step();
      } catch (error) {
        this.#parts.log.error(() => `failed to clean up frozen filesystems: ${messageOf(error)}`);
      }
    };
    // Where it cannot be called off, the freeze that is under way still undoes itself, and is waited for.
    if (this.#state.phase === 'freezing') await trying(() => this.#begun?.session.thaw());
    await trying(() => this.#inTurn(async () => (this.#held === undefined && this.#remains.length === 0 ? 0 : this.#thaw())));
  }

  /**
   * Takes over the freeze of an agent that is gone, where somebody still holds it; else undoes what it may have left.
   *
   * @throws what the state store says of a marker that is there but cannot be read
   */
  async recoverAtStart(): Promise<void> {
    const { hooks, stateStore, log } = this.#parts;
    const marker = await stateStore.readFreezeMarker();
    if (marker === undefined) return;
    const record = this.#startRecord();
    const session = await recoverSession(marker, this.#parts);
    if (session === undefined) {
      await this.#undoLeftBehind(marker, record);
      return;
    }
    log.warning('a previous agent left file systems frozen: they stay so until guest-fsfreeze-thaw or the deadline');
    record.froze(marker.targets.map((target) => ({ ...target, result: 'frozen' })));
    const round = await HookRound.forThaw(hooks, record.hooks);
    this.#state.enter('frozen');
    this.#hold({ session, hooks: round, targets: marker.targets, record, ...this.#whatIsLeft(marker, session) });
    await log.hold();
  }

  /** The deadline of a freeze that an earlier agent began: its holder keeps it, and this agent sees to it that it does. */
  #whatIsLeft({ deadlineAt }: FreezeMarkerData, session: FreezeSession): Pick<HeldFreeze, 'deadline' | 'overdue'> {
    if (deadlineAt === 0n) return { deadline: undefined, overdue: undefined };
    const { clock } = this.#parts;
    const difference = deadlineAt - clock.now();
    const left = difference > 0n ? difference : 0n;
    return { deadline: clock.monotonic() + left, overdue: clock.after(Number(left / 1_000_000n) + overdueMs, () => this.#onOverdue(session)) };
  }

  async #undoLeftBehind(marker: FreezeMarkerData, record: FreezeRecord): Promise<void> {
    const { log } = this.#parts;
    try {
      const { failure, hookFailure } = await thawLeftBehind(marker, this.#parts, record);
      if (failure !== undefined) this.#remains = marker.targets;
      for (const error of [failure, hookFailure]) if (error !== undefined) log.error(error.message);
    } catch (error) {
      log.error(() => messageOf(error));
    }
  }

  /**
   * Thaws what the marker of an agent that is gone lists and nothing else, with hooks, and forgets it: for
   * `concierge-ga thaw`. Answers how many file systems were thawed; 0 where there is no marker.
   *
   * @throws failed error of a hook or of a file system that would not thaw
   */
  async thawLeftBehind(): Promise<number> {
    const marker = await this.#parts.stateStore.readFreezeMarker();
    if (marker === undefined) return 0;
    const { count, failure, hookFailure } = await thawLeftBehind(marker, this.#parts, this.#startRecord());
    const first = failure ?? hookFailure;
    if (first !== undefined) throw first;
    return count;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  #startRecord(): FreezeRecord {
    this.#record = new FreezeRecord(this.#parts.clock.now());
    return this.#record;
  }

  // -- freezing ---------------------------------------------------------------------------------------------

  async #freeze(mountPoints: readonly string[] | undefined): Promise<number> {
    const { clock, log } = this.#parts;
    await this.#thawRemains();
    const record = this.#startRecord();
    let hooks: HookRound | undefined;
    try {
      hooks = await HookRound.forFreeze(this.#parts.hooks, record.hooks);
      if (!hooks.isEmpty) await writeMarker(this.#parts, [], 0n, hooksOnly);
      await hooks.freeze();
      const held = await this.#freezeFileSystems(mountPoints, hooks, record);
      if (held !== undefined) {
        this.#state.enter('frozen');
        this.#hold(held);
        return record.frozenCount;
      }
    } catch (error) {
      record.end('failure', clock.now(), messageOf(error));
      await this.#undo(hooks, true);
      log.error(() => `the freeze failed: ${messageOf(error)}`);
      throw error;
    }
    record.end('nothing-frozen', clock.now());
    const failure = await this.#undo(hooks, false);
    if (failure !== undefined) throw failure;
    return 0;
  }

  /** `undefined` where nothing was frozen. */
  async #freezeFileSystems(mountPoints: readonly string[] | undefined, hooks: HookRound, record: FreezeRecord): Promise<HeldFreeze | undefined> {
    const { clock, log, settings } = this.#parts;
    const levels = await decide(this.#parts, mountPoints, record);
    if (levels.length === 0) return undefined;
    this.#stopIfEnding();
    const targets = levels.flat();
    const session = await beginSession(this.#parts, levels);
    const begun = { session, targets, record };
    this.#begun = begun;
    const deadlineAt = settings.deadlineMs === 0 ? 0n : clock.now() + nanoseconds(settings.deadlineMs);
    await writeMarker(this.#parts, targets, deadlineAt, session.recoveryData);
    log.info(() => `freezing ${targets.length} file systems; log lines wait in memory until the thaw`);
    await log.hold();
    await session.flush();
    this.#stopIfEnding();
    const start = clock.monotonic();
    const outcomes = await session.freeze();
    record.froze(outcomes);
    demandSuccess(outcomes);
    this.#stopIfEnding();
    if (record.frozenCount === 0) return undefined;
    if (settings.deadlineMs === 0) {
      log.info(() => record.freezeLine());
      return { ...begun, hooks, deadline: undefined, overdue: undefined };
    }
    const deadline = start + nanoseconds(settings.deadlineMs);
    const left = deadline - clock.monotonic();
    // What the deadline has thawed, or is about to, must not be called frozen: the host would take its snapshot.
    if (left <= 0n) throw AgentError.failed('the deadline of the freeze (freeze-timeout) came before everything was frozen');
    log.info(() => record.freezeLine());
    const overdue = clock.after(Number(left / 1_000_000n) + overdueMs, () => this.#onOverdue(session));
    return { ...begun, hooks, deadline, overdue };
  }

  /**
   * What an earlier thaw could not thaw is in the marker, which this freeze would write anew: it has to be thawed first.
   * @throws failed error of what will not thaw even now; the marker stays
   */
  async #thawRemains(): Promise<void> {
    if (this.#remains.length === 0) return;
    const remains = await this.#stillMounted(this.#remains);
    const { failure } = await thawDirectly(remains, this.#parts, new FreezeRecord(this.#parts.clock.now()));
    if (failure !== undefined) {
      this.#parts.log.error(() => `no freeze while an earlier one is not undone: ${failure.message}`);
      this.#state.enter('thawed');
      throw failure;
    }
    this.#remains = [];
  }

  /** What has been unmounted meanwhile is frozen no more. All of them, where the mounts cannot be listed. */
  async #stillMounted(targets: readonly FrozenTarget[]): Promise<readonly FrozenTarget[]> {
    try {
      const mounted = new Set((await this.#parts.freezing.survey()).map(({ id }) => id));
      return targets.filter(({ id }) => mounted.has(id));
    } catch {
      return targets;
    }
  }

  #stopIfEnding(): void {
    if (this.#ending) throw AgentError.failed('the freeze was called off because the agent ends');
  }

  /** Back to thawed, whatever there is to undo. Answers the first failure of a thaw hook. */
  async #undo(hooks: HookRound | undefined, failed: boolean): Promise<AgentError | undefined> {
    const begun = this.#begun;
    this.#begun = undefined;
    const failure = begun === undefined ? undefined : (await thawSession(begun, this.#parts)).failure;
    if (failed) await hooks?.fail();
    return this.#finish(hooks, failure, true, begun?.targets);
  }

  // -- frozen -----------------------------------------------------------------------------------------------

  #hold(held: HeldFreeze): void {
    this.#begun = undefined;
    this.#held = held;
    void this.#endOf(held.session).then((end) => this.#inTurn(() => this.#endedByItself(held, end)));
  }

  /** A holder that breaks its word and rejects is as good as lost. */
  #endOf(session: FreezeSession): Promise<FreezeEnd> {
    return session.ended.catch((error: unknown): FreezeEnd =>
      ({ reason: 'holder-lost', detail: `the holder of the freeze is lost: ${messageOf(error)}`, at: this.#parts.clock.now(), thawed: [] }));
  }

  /** The holder should have thawed by itself and has said nothing: it is stopped, or lost in a way that shows nowhere. */
  #onOverdue(session: FreezeSession): void {
    const held = this.#held;
    if (held?.session !== session) return;
    const sentence = 'the deadline of the freeze passed without a word from its guardian: the agent thaws';
    this.#parts.log.error(sentence);
    held.record.end('deadline', this.#parts.clock.now(), sentence);
    this.thaw().catch((error: unknown) => this.#parts.log.error(() => messageOf(error)));
  }

  // -- thawing ----------------------------------------------------------------------------------------------

  async #endedByItself(held: HeldFreeze, end: FreezeEnd): Promise<void> {
    if (this.#held !== held) return;
    this.#state.enter('thawing');
    held.overdue?.cancel();
    held.record.thawed(end.thawed);
    // Everything is thawed already, but for what a lost holder held.
    const { failure } = await thawSession(held, this.#parts);
    this.#held = undefined;
    await this.#finish(held.hooks, failure, true, held.targets);
    this.#tellEnd(held, end);
  }

  #tellEnd({ record }: HeldFreeze, end: FreezeEnd): void {
    record.end(end.reason, end.at, end.detail);
    const time = new Date(Number(end.at / 1_000_000n)).toISOString();
    this.#parts.log.warning(() => `the freeze ended at ${time} without a thaw command: ${end.detail}`);
  }

  async #thaw(): Promise<number> {
    const { clock, hooks, log } = this.#parts;
    const held = this.#held;
    // A freeze may have been asked for meanwhile and wait behind this: the phase is its own then.
    const ownsPhase = this.#state.phase !== 'freezing';
    if (ownsPhase) this.#state.enter('thawing');
    held?.overdue?.cancel();
    const { thawed, failure, end } = await this.#thawFileSystems(held);
    this.#held = undefined;
    const hookFailure = await this.#finish(held?.hooks ?? await HookRound.forThaw(hooks, []), failure, ownsPhase, held?.targets);
    if (held !== undefined) {
      if (end !== undefined) this.#tellEnd(held, end);
      held.record.end('thaw', clock.now());
      log.info(() => held.record.thawLine());
    }
    if (failure !== undefined) throw failure;
    if (hookFailure !== undefined) throw hookFailure;
    return thawed;
  }

  async #thawFileSystems(held: HeldFreeze | undefined): Promise<{ thawed: number; failure: AgentError | undefined; end: FreezeEnd | undefined }> {
    const { clock, freezing, log } = this.#parts;
    const asked = clock.now();
    const thawed = new Set<string>();
    let failure: AgentError | undefined;
    let end: FreezeEnd | undefined;
    if (held !== undefined) {
      const its = await thawSession(held, this.#parts);
      failure = its.failure;
      // What the deadline thawed before this was asked is not this thaw's to count.
      if (its.outcomes.some(({ thawedAt }) => thawedAt !== undefined && thawedAt < asked)) end = await this.#news(held.session);
      for (const { id, thawedAt = asked } of its.outcomes.filter((outcome) => outcome.thawed)) if (thawedAt >= asked) thawed.add(id);
    }
    try {
      // qemu-ga 10.2 thaws every file system that it lists, by whomever it was frozen.
      const outcomes = await freezing.thawEverything();
      held?.record.thawed(outcomes);
      for (const { id } of outcomes.filter((outcome) => outcome.thawed)) thawed.add(id);
      const settled = new Set(outcomes.filter((outcome) => outcome.thawed || outcome.error === undefined).map(({ id }) => id));
      if (held?.targets.every(({ id }) => settled.has(id)) === true) failure = undefined;
      failure ??= firstFailure(outcomes.filter(({ id }) => this.#remains.some((target) => target.id === id)));
    } catch (error) {
      // With a freeze of this agent's, everything that it froze is thawed already.
      if (held === undefined) failure = withContext('failed to thaw', error);
      else log.warning(() => `only what this agent froze was thawed: ${messageOf(error)}`);
    }
    return { thawed: thawed.size, failure, end };
  }

  /** Of a session that has ended by itself: told at once, but for a holder that keeps its word badly. */
  #news(session: FreezeSession): Promise<FreezeEnd | undefined> {
    const { promise, resolve } = Promise.withResolvers<FreezeEnd | undefined>();
    const timer = this.#parts.clock.after(1_000, () => resolve(undefined));
    void this.#endOf(session).then(resolve);
    return promise.finally(() => timer.cancel());
  }

  /** After the last file system: the log goes on, the marker goes, hooks run. Answers the first failure of a hook. */
  async #finish(
    hooks: HookRound | undefined,
    failure: AgentError | undefined,
    ownsPhase: boolean,
    targets: readonly FrozenTarget[] = this.#remains,
  ): Promise<AgentError | undefined> {
    const { log } = this.#parts;
    this.#remains = failure === undefined ? [] : targets;
    if (ownsPhase) log.release();
    // The marker stays as long as something may be frozen, for whoever tries next.
    if (failure !== undefined) log.error(failure.message);
    else if (ownsPhase) await forgetMarker(this.#parts);
    const hookFailure = await hooks?.thaw();
    if (hookFailure !== undefined) log.warning(hookFailure.message);
    if (ownsPhase) this.#state.enter('thawed');
    return hookFailure;
  }
}
