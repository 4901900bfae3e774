import { AgentError, osCode, withContext } from '../errors/agent-error.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { FreezeEnd, FreezeSession, Freezing, FrozenTarget, ThawOutcome } from '../ports/freezing.ts';
import type { Hooks } from '../ports/hooks.ts';
import type { Log } from '../ports/log.ts';
import type { StateStore } from '../ports/state-store.ts';
import { FreezeState } from '../state/freeze-state.ts';
import { HookRound } from './hook-round.ts';
import { nameOf, planFreeze, type FreezePlan } from './plan.ts';
import { FreezeRecord, type FreezeReport } from './record.ts';

export interface FreezeSettings {
  /** How long a freeze lasts without a thaw, in milliseconds from the first file system; 0: for ever. */
  readonly deadlineMs: number;
  /** How long the freezing itself may take, in milliseconds; 0: for ever. */
  readonly withinMs: number;
  /** Mount points that are never frozen. */
  readonly excluded: readonly string[];
  /** What a list that names no mount point leads to; `ignore` is what qemu-ga 10.2 does. */
  readonly unknownMountPoints: 'error' | 'ignore';
}

export interface FreezeControllerParts {
  readonly freezing: Freezing;
  readonly hooks: Hooks | undefined;
  readonly stateStore: StateStore;
  readonly log: Log;
  readonly clock: Clock;
  readonly settings: FreezeSettings;
}

/** A freeze that is on. */
interface HeldFreeze {
  readonly session: FreezeSession;
  readonly hooks: HookRound;
  /** In the order of freezing. */
  readonly targets: readonly FrozenTarget[];
  /** On `Clock.monotonic`; `undefined` without a deadline of ours. */
  readonly deadline: bigint | undefined;
  readonly overdue: Timer | undefined;
}

/** How long after the deadline the agent takes the holder of the session for broken. */
const overdueMs = 5_000;

/** In the marker while hooks run and nothing is frozen yet. */
const hooksOnly = { stage: 'hooks' } as const;

/**
 * Runs a freeze from the first hook to the last: hooks, plan, marker, flush, freeze; and whatever ends it. One step at a
 * time, whoever asks; only status, report and the ending of the agent do not wait for their turn.
 */
export class FreezeController {
  readonly #parts: FreezeControllerParts;
  readonly #state = new FreezeState();
  #turn: Promise<unknown> = Promise.resolve();
  #record: FreezeRecord | undefined;
  /** A session exists from `begin` on; it counts as held once it is frozen. */
  #begun: Pick<HeldFreeze, 'session' | 'targets'> | undefined;
  #held: HeldFreeze | undefined;
  #ending = false;

  constructor(parts: FreezeControllerParts) {
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
  async plan(mountPoints?: readonly string[]): Promise<FreezePlan> {
    return planFreeze(await this.#parts.freezing.survey(), { mountPoints, excluded: this.#parts.settings.excluded });
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
    if (this.#state.phase === 'thawed') return;
    this.#parts.log.warning('the agent ends: frozen file systems are thawed first');
    try {
      if (this.#state.phase === 'freezing') await this.#begun?.session.thaw();
      await this.#inTurn(async () => (this.#held === undefined ? 0 : this.#thaw()));
    } catch (error) {
      this.#parts.log.error(() => `failed to clean up frozen filesystems: ${messageOf(error)}`);
    }
  }

  /**
   * Takes over the freeze of an agent that is gone, where somebody still holds it; else undoes what it may have left.
   *
   * @throws what the state store says of a marker that is there but cannot be read
   */
  async recoverAtStart(): Promise<void> {
    const { freezing, hooks, stateStore, log } = this.#parts;
    const marker = await stateStore.readFreezeMarker();
    if (marker === undefined) return;
    const record = this.#startRecord();
    const session = await freezing.recover(marker).catch((error: unknown) => {
      log.warning(() => `the holder of an earlier freeze cannot be reached: ${messageOf(error)}`);
      return undefined;
    });
    if (session === undefined) {
      await this.thawLeftBehind().catch((error: unknown) => log.error(() => messageOf(error)));
      return;
    }
    log.warning('a previous agent left file systems frozen: they stay so until guest-fsfreeze-thaw or the deadline');
    record.froze(marker.targets.map((target) => ({ ...target, result: 'frozen' })));
    const round = await HookRound.forThaw(hooks, record.hooks);
    this.#state.enter('frozen');
    this.#hold({ session, hooks: round, targets: marker.targets, deadline: undefined, overdue: undefined });
    await log.hold();
  }

  /**
   * Thaws what the marker of an agent that is gone lists and nothing else, with hooks, and forgets it: for
   * `concierge-ga thaw`. Answers how many file systems were thawed; 0 where there is no marker.
   *
   * @throws failed error of a hook or of a file system that would not thaw
   */
  async thawLeftBehind(): Promise<number> {
    const { freezing, hooks, stateStore, log, clock } = this.#parts;
    const marker = await stateStore.readFreezeMarker();
    if (marker === undefined) return 0;
    const record = this.#startRecord();
    const session = await freezing.recover(marker).catch(() => undefined);
    // A marker that lists nothing and is not of the hooks' stage is qemu-ga's: anything may be frozen.
    const only = marker.targets.length > 0 ? marker.targets.toReversed() : undefined;
    const outcomes = session !== undefined ? await session.thaw()
      : only === undefined && marker.recoveryData['stage'] === hooksOnly.stage ? []
      : await freezing.thawEverything(only);
    record.thawed(outcomes);
    record.end('thaw', clock.now(), 'what an earlier agent left frozen was thawed');
    const count = outcomes.filter(({ thawed }) => thawed).length;
    log.warning(() => `an earlier agent ended in the middle of a freeze: ${count} file systems were thawed`);
    const failure = firstFailure(outcomes);
    if (failure === undefined) await this.#forgetMarker();
    const hookFailure = await (await HookRound.forThaw(hooks, record.hooks)).thaw();
    if (failure !== undefined) throw failure;
    if (hookFailure !== undefined) throw hookFailure;
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
    const record = this.#startRecord();
    let hooks: HookRound | undefined;
    try {
      hooks = await HookRound.forFreeze(this.#parts.hooks, record.hooks);
      if (!hooks.isEmpty) await this.#writeMarker([], 0n, hooksOnly);
      await hooks.freeze();
      const held = await this.#freezeFileSystems(mountPoints, hooks, record);
      if (held !== undefined) {
        this.#state.enter('frozen');
        this.#hold(held);
        return record.frozenCount;
      }
      record.end('nothing-frozen', clock.now());
    } catch (error) {
      record.end('failure', clock.now(), messageOf(error));
      await this.#undo(hooks, true);
      log.error(() => `the freeze failed: ${messageOf(error)}`);
      throw error;
    }
    const failure = await this.#undo(hooks, false);
    if (failure !== undefined) throw failure;
    return 0;
  }

  /** `undefined` where nothing was frozen. */
  async #freezeFileSystems(
    mountPoints: readonly string[] | undefined,
    hooks: HookRound,
    record: FreezeRecord,
  ): Promise<HeldFreeze | undefined> {
    const { clock, log, settings } = this.#parts;
    const plan = await this.#planned(mountPoints, record);
    if (plan.levels.length === 0) return undefined;
    this.#stopIfEnding();
    const levels = plan.levels.map((level) => level.map((candidate) => ({ id: candidate.id, mountPoint: nameOf(candidate) })));
    const targets = levels.flat();
    const session = await this.#begin(levels);
    this.#begun = { session, targets };
    const deadlineAt = settings.deadlineMs === 0 ? 0n : clock.now() + nanoseconds(settings.deadlineMs);
    await this.#writeMarker(targets, deadlineAt, session.recoveryData);
    log.info(() => `freezing ${targets.length} file systems; log lines wait in memory until the thaw`);
    await log.hold();
    await session.flush();
    this.#stopIfEnding();
    const start = clock.monotonic();
    const outcomes = await session.freeze();
    record.froze(outcomes);
    const failed = outcomes.find(({ result }) => result === 'failed');
    if (failed !== undefined) throw AgentError.failed(failed.error ?? `failed to freeze ${failed.mountPoint}`);
    this.#stopIfEnding();
    if (record.frozenCount === 0) return undefined;
    log.info(() => record.freezeLine());
    if (settings.deadlineMs === 0) return { session, hooks, targets, deadline: undefined, overdue: undefined };
    const spentMs = Number((clock.monotonic() - start) / 1_000_000n);
    const overdue = clock.after(Math.max(0, settings.deadlineMs - spentMs) + overdueMs, () => this.#onOverdue(session));
    return { session, hooks, targets, deadline: start + nanoseconds(settings.deadlineMs), overdue };
  }

  async #planned(mountPoints: readonly string[] | undefined, record: FreezeRecord): Promise<FreezePlan> {
    const { log, settings } = this.#parts;
    const plan = await this.plan(mountPoints);
    record.leftOut = plan.leftOut;
    if (plan.unmatched.length > 0) {
      const sentence = `failed to freeze ${plan.unmatched.join(', ')}: no file system is mounted there`;
      if (settings.unknownMountPoints === 'error') throw AgentError.failed(sentence);
      log.warning(sentence);
    }
    for (const { mountPoint, reason, detail } of plan.leftOut) {
      const line = (): string => `${mountPoint} is not frozen: ${detail}`;
      if (reason === 'covered' || reason === 'no-device') log.warning(line);
      else log.debug(line);
    }
    for (const mountPoint of plan.cutCycles) log.warning(() => `${mountPoint} seems to rest on itself: it is frozen in mount order`);
    return plan;
  }

  async #begin(levels: readonly (readonly FrozenTarget[])[]): Promise<FreezeSession> {
    const { freezing, stateStore, log, settings } = this.#parts;
    try {
      return await freezing.begin({
        levels,
        deadlineMs: settings.deadlineMs,
        freezeWithinMs: settings.withinMs,
        stateDirectory: stateStore.directory,
      });
    } catch (error) {
      const path = AgentError.is(error) ? error.os?.path : undefined;
      if (osCode(error) === 'EACCES') {
        log.error(() => `opening ${path ?? 'a mount point'} was forbidden: where root is, that is SELinux or AppArmor; see its audit log`);
      }
      throw path === undefined ? error : withContext(`failed to open ${path}`, error);
    }
  }

  #stopIfEnding(): void {
    if (this.#ending) throw AgentError.failed('the freeze was called off because the agent ends');
  }

  async #writeMarker(targets: readonly FrozenTarget[], deadlineAt: bigint, recoveryData: Readonly<Record<string, string>>): Promise<void> {
    const { stateStore } = this.#parts;
    await stateStore.writeFreezeMarker({ bootId: await stateStore.bootId(), targets, deadlineAt, recoveryData });
  }

  /** Back to thawed, whatever there is to undo. Answers the first failure of a thaw hook. */
  async #undo(hooks: HookRound | undefined, failed: boolean): Promise<AgentError | undefined> {
    const { log } = this.#parts;
    try {
      await this.#undoFileSystems();
    } catch (error) {
      log.error(() => `undoing the freeze failed: ${messageOf(error)}`);
    }
    log.release();
    if (failed) await hooks?.fail();
    const failure = await hooks?.thaw();
    if (failure !== undefined) log.warning(failure.message);
    this.#state.enter('thawed');
    return failure;
  }

  async #undoFileSystems(): Promise<void> {
    const begun = this.#begun;
    this.#begun = undefined;
    // The marker stays as long as something may be frozen, for whoever tries next.
    const failure = begun === undefined ? undefined : (await this.#thawSession(begun)).failure;
    if (failure === undefined) await this.#forgetMarker();
    else throw failure;
  }

  // -- frozen -----------------------------------------------------------------------------------------------

  #hold(held: HeldFreeze): void {
    this.#begun = undefined;
    this.#held = held;
    void held.session.ended.then((end) => this.#inTurn(() => this.#endedByItself(held, end)));
  }

  /** The holder should have thawed by itself and has said nothing: it is stopped, or lost in a way that shows nowhere. */
  #onOverdue(session: FreezeSession): void {
    if (this.#held?.session !== session) return;
    this.#parts.log.error('the deadline of the freeze passed without a word from its guardian: thawing');
    this.thaw().catch((error: unknown) => this.#parts.log.error(() => messageOf(error)));
  }

  // -- thawing ----------------------------------------------------------------------------------------------

  async #endedByItself(held: HeldFreeze, end: FreezeEnd): Promise<void> {
    if (this.#held !== held) return;
    this.#state.enter('thawing');
    held.overdue?.cancel();
    this.#record?.thawed(end.thawed);
    const failure = firstFailure(end.thawed) === undefined ? undefined : await this.#thawDirectly(held.targets);
    this.#held = undefined;
    await this.#finish(held.hooks, failure, true);
    this.#tellEnd(end);
  }

  #tellEnd(end: FreezeEnd): void {
    this.#record?.end(end.reason, end.at, end.detail);
    const time = new Date(Number(end.at / 1_000_000n)).toISOString();
    this.#parts.log.warning(() => `the freeze ended at ${time} without a thaw command: ${end.detail}`);
  }

  /** Thaws a session, and once more without it what it could not. */
  async #thawSession({ session, targets }: Pick<HeldFreeze, 'session' | 'targets'>): Promise<{
    readonly outcomes: readonly ThawOutcome[];
    readonly failure: AgentError | undefined;
  }> {
    let outcomes: readonly ThawOutcome[] = [];
    try {
      outcomes = await session.thaw();
      this.#record?.thawed(outcomes);
      if (firstFailure(outcomes) === undefined) return { outcomes, failure: undefined };
    } catch (error) {
      this.#parts.log.error(() => `the holder of the freeze failed to thaw: ${messageOf(error)}`);
    }
    return { outcomes, failure: await this.#thawDirectly(targets) };
  }

  async #thawDirectly(targets: readonly FrozenTarget[]): Promise<AgentError | undefined> {
    try {
      const outcomes = await this.#parts.freezing.thawEverything(targets.toReversed());
      this.#record?.thawed(outcomes);
      return firstFailure(outcomes);
    } catch (error) {
      return withContext('failed to thaw', error);
    }
  }

  async #thaw(): Promise<number> {
    const { clock, freezing, hooks, log } = this.#parts;
    const held = this.#held;
    // A freeze may have been asked for meanwhile and wait behind this: the phase is its own then.
    const ownsPhase = this.#state.phase !== 'freezing';
    if (ownsPhase) this.#state.enter('thawing');
    held?.overdue?.cancel();
    const asked = clock.now();
    const thawed = new Set<string>();
    let failure: AgentError | undefined;
    let end: FreezeEnd | undefined;
    if (held !== undefined) {
      const its = await this.#thawSession(held);
      failure = its.failure;
      // What the deadline thawed before this was asked is not this thaw's to count.
      if (its.outcomes.some(({ thawedAt }) => thawedAt !== undefined && thawedAt < asked)) end = await this.#news(held.session);
      for (const { id, thawedAt = asked } of its.outcomes.filter((outcome) => outcome.thawed)) if (thawedAt >= asked) thawed.add(id);
    }
    try {
      // qemu-ga 10.2 thaws every file system that it lists, by whomever it was frozen.
      const outcomes = await freezing.thawEverything();
      if (held !== undefined) this.#record?.thawed(outcomes);
      for (const { id } of outcomes.filter((outcome) => outcome.thawed)) thawed.add(id);
    } catch (error) {
      // With a freeze of this agent's, everything that it froze is thawed already.
      if (held === undefined) failure = withContext('failed to thaw', error);
      else log.warning(() => `only what this agent froze was thawed: ${messageOf(error)}`);
    }
    this.#held = undefined;
    const hookFailure = await this.#finish(held?.hooks ?? await HookRound.forThaw(hooks, []), failure, ownsPhase);
    if (end !== undefined) this.#tellEnd(end);
    if (held !== undefined) {
      this.#record?.end('thaw', clock.now());
      log.info(() => this.#record?.thawLine() ?? '');
    }
    if (failure !== undefined) throw failure;
    if (hookFailure !== undefined) throw hookFailure;
    return thawed.size;
  }

  /** Of a session that has ended by itself: told at once, but for a holder that keeps its word badly. */
  #news(session: FreezeSession): Promise<FreezeEnd | undefined> {
    const { promise, resolve } = Promise.withResolvers<FreezeEnd | undefined>();
    const timer = this.#parts.clock.after(1_000, () => resolve(undefined));
    void session.ended.then(resolve);
    return promise.finally(() => timer.cancel());
  }

  /** After the last file system: the log goes on, the marker goes, hooks run. */
  async #finish(hooks: HookRound, failure: AgentError | undefined, ownsPhase: boolean): Promise<AgentError | undefined> {
    const { log } = this.#parts;
    if (ownsPhase) log.release();
    // The marker stays as long as something may be frozen, for whoever tries next.
    if (failure !== undefined) log.error(failure.message);
    else if (ownsPhase) await this.#forgetMarker();
    const hookFailure = await hooks.thaw();
    if (hookFailure !== undefined) log.warning(hookFailure.message);
    if (ownsPhase) this.#state.enter('thawed');
    return hookFailure;
  }

  async #forgetMarker(): Promise<void> {
    try {
      await this.#parts.stateStore.removeFreezeMarker();
    } catch (error) {
      this.#parts.log.warning(() => messageOf(error));
    }
  }
}

const nanoseconds = (ms: number): bigint => BigInt(Math.ceil(ms)) * 1_000_000n;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Of file systems that should have been thawed and were not. One that is not frozen any more is fine. */
function firstFailure(outcomes: readonly ThawOutcome[]): AgentError | undefined {
  const failed = outcomes.find(({ thawed, error }) => !thawed && error !== undefined);
  return failed?.error === undefined ? undefined : AgentError.failed(failed.error);
}
