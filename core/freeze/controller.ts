// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext, messageOf } from '../errors/agent-error.ts';
import type { FreezeEnd, FreezeMarkerData, FreezeSession, FrozenTarget, ThawOutcome } from '../ports/freezing.ts';
import type { Backend, Ready } from '../ports/index.ts';
import { nanoseconds, type FreezeContext } from './context.ts';
import { decide, planNow } from './decide.ts';
import { HookRound } from './hooks.ts';
import { forgetMarker, hooksOnly, writeMarker } from './marker.ts';
import type { FreezePlan } from './plan.ts';
import { FreezeRecord, withoutFreeze, type FreezeReport } from './record.ts';
import { recoverSession, thawLeftBehind } from './recovery.ts';
import {
  beginSession, demandSuccess, endOf, newsOf, nothingThawed, settledBy, thawDirectly, thawSession, type BegunFreeze, type SessionThaw,
} from './session.ts';
import { FreezeStateMachine } from './state-machine.ts';
import type { HeldFreeze } from './state.ts';

/** How long after the deadline the agent takes the holder of the session for broken. */
const overdueMs = 5_000;

/**
 * Runs a freeze from the first hook to the last of its thaw. The rules:
 *
 * 1. One step at a time: freeze, thaw and the end of a session wait for their turn. The ending of the agent does not.
 * 2. The state is one value (`state.ts`): thawed → freezing → frozen → thawing → thawed. A freeze that fails goes from
 *    freezing to thawed; a thaw without a freeze from thawed to thawing; an agent that finds the freeze of an earlier
 *    one from thawed to frozen.
 * 3. Commands that could touch a disk are refused while freezing and frozen, and wait while a freeze is being thawed.
 * 4. Status says `frozen` only when everything is, and no longer once the deadline has passed. While the state is changing
 *    it waits: an answer never contradicts what happens next.
 * 5. Nothing is frozen without a marker that lists it, and the marker stays as long as something may be frozen.
 * 6. What would not thaw remains in state, status and marker. It is tried again by itself until it thaws, and by every
 *    thaw, the next freeze and the end of the agent; a freeze is refused while that fails and it is mounted.
 * 7. Whatever happens, a hook that ran is owed its thaw, and the log is held from before the first FIFREEZE until after
 *    the last FITHAW.
 */
export class FreezeController {
  readonly #context: FreezeContext;
  readonly #machine: FreezeStateMachine;
  #turn: Promise<unknown> = Promise.resolve();
  /** Steps that are under way or wait for their turn. */
  #steps = 0;
  #record: FreezeRecord | undefined;
  /** Of an agent before this one. */
  #inherited: FreezeReport | undefined;
  readonly #told = new Set<string>();

  /** The controller of a backend that can freeze; `undefined` for one that can't. */
  static on({ fileSystem, hooks, clock }: Backend, rest: Pick<FreezeContext, 'stateStore' | 'log' | 'settings'>): FreezeController | undefined {
    const freezing = fileSystem?.freezing;
    return freezing && new FreezeController({ freezing, hooks, clock, ...rest });
  }

  constructor(context: FreezeContext) {
    this.#context = context;
    this.#machine = new FreezeStateMachine(context.clock, () => void this.#inTurn(() => this.#thawAgain()));
  }

  /** Whether commands that could touch a disk are refused: from the first hook of a freeze until it is being thawed. */
  get isFrozen(): boolean {
    return this.#machine.isFrozen;
  }

  /** Whether nothing is frozen, on its way, or to be tried again: what only this agent sees to. */
  get isQuiet(): boolean {
    return this.#machine.isQuiet;
  }

  /** Calls back whenever it has become quiet again. Once. */
  onQuiet(listener: () => void): void {
    this.#machine.onQuiet(listener);
  }

  /** While a freeze is being thawed: resolves after its last hook. Commands that could touch a disk wait for it. */
  get thawing(): Promise<void> | undefined {
    return this.#machine.thawing;
  }

  /** What the host is told. */
  get status(): 'thawed' | 'frozen' {
    return this.#machine.status;
  }

  /**
   * An answer about the state, once no freeze or thaw is changing it any more.
   *
   * @throws failed error (as a rejection) when that takes too long
   */
  whenSettled<T>(answer: () => T): Ready<T> {
    return this.#machine.whenSettled(answer);
  }

  /** What the freeze that is on, or else the last one, did. */
  report(): FreezeReport {
    return this.legacy ?? { status: this.status, filesystems: [], 'left-out': [], hooks: [] };
  }

  /** What the last freeze did, for another agent to tell of; `undefined` where there was none. */
  get legacy(): FreezeReport | undefined {
    return this.#record?.report(this.status) ?? this.#inherited;
  }

  /** Tells of the last freeze of an earlier agent, as long as there is none of this one. */
  inherit(report: FreezeReport): void {
    this.#inherited = report;
  }

  /** What a freeze would do now. Touches nothing. @throws failed error when the list of mounts cannot be read */
  plan(mountPoints?: readonly string[]): Promise<FreezePlan> {
    return planNow(this.#context, mountPoints);
  }

  /**
   * Freezes, and answers how many file systems were frozen; with 0 nothing is.
   *
   * Waits for a thaw that is under way.
   *
   * @throws command-not-found error while a freeze is on; failed or os error, a whole sentence: then nothing is frozen
   */
  async freeze(mountPoints?: readonly string[]): Promise<number> {
    if (this.isFrozen || this.#machine.isEnding) throw refusal();
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
    this.#machine.end();
    if (this.isQuiet) return;
    this.#context.log.warning('the agent ends: frozen file systems are thawed first');
    const trying = async (step: () => Promise<unknown> | undefined): Promise<void> => {
      try {
        await step();
      } catch (error) {
        this.#context.log.error(() => `failed to clean up frozen filesystems: ${messageOf(error)}`);
      }
    };
    // Where it cannot be called off, the freeze that is under way still undoes itself, and is waited for.
    await trying(() => this.#machine.begun?.session.thaw());
    await trying(() => this.#inTurn(async () => (this.#machine.held === undefined && this.#machine.state.remains.length === 0 ? 0 : this.#thaw())));
  }

  /**
   * Takes over the freeze of an agent that is gone, where somebody still holds it; else undoes what it may have left.
   *
   * @throws what the state store says of a marker that is there but cannot be read
   */
  async recoverAtStart(): Promise<void> {
    const { hooks, stateStore, log } = this.#context;
    const marker = await stateStore.readFreezeMarker();
    if (marker === undefined) return;
    const record = this.#startRecord();
    const session = await recoverSession(marker, this.#context);
    if (session === undefined) {
      await this.#undoLeftBehind(marker, record);
      return;
    }
    log.warning('a previous agent left file systems frozen: they stay so until guest-fsfreeze-thaw or the deadline');
    record.deadlineAt = marker.deadlineAt;
    record.froze(marker.targets.map((target) => ({ ...target, result: 'frozen' })));
    const round = await HookRound.forThaw(hooks, record.hooks);
    this.#hold({ session, hooks: round, targets: marker.targets, record, ...this.#whatIsLeft(marker, session) });
    await log.hold();
  }

  /** The deadline of a freeze that an earlier agent began: its holder keeps it, and this agent sees to it that it does. */
  #whatIsLeft({ deadlineAt }: FreezeMarkerData, session: FreezeSession): Pick<HeldFreeze, 'deadline' | 'overdue'> {
    if (deadlineAt === 0n) return { deadline: undefined, overdue: undefined };
    const { clock } = this.#context;
    const difference = deadlineAt - clock.now();
    const left = difference > 0n ? difference : 0n;
    return { deadline: clock.monotonic() + left, overdue: clock.after(Number(left / 1_000_000n) + overdueMs, () => this.#onOverdue(session)) };
  }

  async #undoLeftBehind(marker: FreezeMarkerData, record: FreezeRecord): Promise<void> {
    const { log } = this.#context;
    try {
      const { failure, hookFailure } = await thawLeftBehind(marker, this.#context, record);
      if (failure !== undefined) this.#machine.enter({ phase: 'thawed', remains: marker.targets });
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
    const marker = await this.#context.stateStore.readFreezeMarker();
    if (marker === undefined) return 0;
    const { count, failure, hookFailure } = await thawLeftBehind(marker, this.#context, this.#startRecord());
    const first = failure ?? hookFailure;
    if (first !== undefined) throw first;
    return count;
  }

  /** At once where nobody is at work, so that the state has changed when the call returns. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#steps === 0 ? work() : this.#turn.then(work);
    this.#steps += 1;
    this.#turn = result.catch(() => {}).finally(() => {
      this.#steps -= 1;
    });
    return result;
  }

  #startRecord(): FreezeRecord {
    this.#record = new FreezeRecord(this.#context.clock.now());
    return this.#record;
  }

  // -- freezing ---------------------------------------------------------------------------------------------

  async #freeze(mountPoints: readonly string[] | undefined): Promise<number> {
    const { clock, log } = this.#context;
    if (this.#machine.state.phase !== 'thawed' || this.#machine.isEnding) throw refusal();
    const { remains } = this.#machine.state;
    this.#machine.enter({ phase: 'freezing', begun: undefined, remains });
    if (remains.length > 0) await this.#thawRemains(remains);
    const record = this.#startRecord();
    let hooks = HookRound.none(record.hooks);
    try {
      hooks = await HookRound.forFreeze(this.#context.hooks, record.hooks);
      if (!hooks.isEmpty) await writeMarker(this.#context, this.#machine.state.remains, 0n, hooksOnly);
      await hooks.freeze();
      const held = await this.#freezeFileSystems(mountPoints, hooks, record);
      if (held !== undefined) {
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
    const { clock, log, settings } = this.#context;
    const prepared = this.#context.freezing.prepare?.();
    const begun = await this.#begin(mountPoints, record).finally(() => prepared?.cancel());
    if (begun === undefined) return undefined;
    const { session, targets } = begun;
    this.#remark(session);
    const { remains } = this.#machine.state;
    this.#machine.enter({ phase: 'freezing', begun, remains });
    const deadlineAt = settings.deadlineMs === 0 ? 0n : clock.now() + nanoseconds(settings.deadlineMs);
    record.deadlineAt = deadlineAt;
    await writeMarker(this.#context, [...targets, ...remains], deadlineAt, session.recoveryData);
    log.info(() => `freezing ${targets.length} file systems; log lines wait in memory until the thaw`);
    await log.hold();
    await session.flush();
    this.#stopIfEnding();
    const start = clock.monotonic();
    const outcomes = await session.freeze();
    record.froze(outcomes);
    record.warnings = session.warnings ?? [];
    record.warnings.forEach((sentence) => log.warning(sentence));
    for (const mountPoint of record.unsupported) log.warning(() => `${mountPoint} is not frozen: ${withoutFreeze}`);
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

  /** `undefined` where nothing is to be frozen. */
  async #begin(mountPoints: readonly string[] | undefined, record: FreezeRecord): Promise<BegunFreeze | undefined> {
    const levels = await decide(this.#context, mountPoints, record);
    if (levels.length === 0) return undefined;
    this.#stopIfEnding();
    return { session: await beginSession(this.#context, levels), targets: levels.flat(), record };
  }

  /**
   * What an earlier thaw could not thaw has to be thawed before anything is frozen. What is mounted nowhere any more and
   * can't be thawed holds up no writer and hinders no freeze, but stays in the marker.
   *
   * @throws failed error of what will not thaw even now; the marker stays
   */
  async #thawRemains(remains: readonly FrozenTarget[]): Promise<void> {
    const { log } = this.#context;
    const { failure } = await thawDirectly(remains, this.#context);
    if (failure === undefined) {
      this.#machine.enter({ phase: 'freezing', begun: undefined, remains: [] });
      return;
    }
    const mounted = await this.#stillMounted(remains);
    if (mounted.length === 0) return;
    log.error(() => `no freeze while an earlier one is not undone: ${failure.message}`);
    this.#machine.enter({ phase: 'thawed', remains });
    throw failure;
  }

  /** All of them, where the mounts cannot be listed. */
  async #stillMounted(targets: readonly FrozenTarget[]): Promise<readonly FrozenTarget[]> {
    try {
      const mounted = new Set((await this.#context.freezing.survey()).map(({ id }) => id));
      return targets.filter(({ id }) => mounted.has(id));
    } catch {
      return targets;
    }
  }

  #remark({ remarks = [] }: FreezeSession): void {
    for (const remark of remarks) if (!this.#told.has(remark)) this.#context.log.warning(remark);
    for (const remark of remarks) this.#told.add(remark);
  }

  #stopIfEnding(): void {
    if (this.#machine.isEnding) throw AgentError.failed('the freeze was called off because the agent ends');
  }

  /** Back to thawed, whatever there is to undo. Answers the first failure of a thaw hook. */
  async #undo(hooks: HookRound, failed: boolean): Promise<AgentError | undefined> {
    const begun = this.#machine.begun;
    const { remains } = this.#machine.state;
    this.#machine.enter({ phase: 'freezing', begun: undefined, remains });
    const thaw = begun === undefined ? nothingThawed : await thawSession(begun, this.#context);
    await (failed ? hooks.fail() : undefined);
    return this.#finish(hooks, thaw.failure, [...thaw.remains, ...remains]);
  }

  // -- frozen -----------------------------------------------------------------------------------------------

  #hold(held: HeldFreeze): void {
    this.#machine.enter({ phase: 'frozen', held, remains: this.#machine.state.remains });
    void endOf(held.session, this.#context).then((end) => this.#inTurn(() => this.#endedByItself(held, end)));
  }

  /** The holder should have thawed by itself and has said nothing: it is stopped, or lost in a way that shows nowhere. */
  #onOverdue(session: FreezeSession): void {
    const held = this.#machine.held;
    if (held?.session !== session) return;
    const { clock, log } = this.#context;
    const sentence = 'the deadline of the freeze passed without a word from its guardian: the agent thaws';
    log.error(sentence);
    held.record.end('deadline', clock.now(), sentence);
    this.thaw().catch((error: unknown) => log.error(() => messageOf(error)));
  }

  // -- thawing ----------------------------------------------------------------------------------------------

  async #endedByItself(held: HeldFreeze, end: FreezeEnd): Promise<void> {
    if (this.#machine.held !== held) return;
    const { remains } = this.#machine.state;
    this.#machine.enter({ phase: 'thawing', held, endsFreeze: true, remains });
    held.overdue?.cancel();
    held.record.thawed(end.thawed);
    // Everything is thawed already, but for what a lost holder held.
    const thaw = await thawSession(held, this.#context);
    await this.#finish(held.hooks, thaw.failure, [...thaw.remains, ...remains]);
    this.#tellEnd(held, end);
  }

  #tellEnd({ record }: HeldFreeze, end: FreezeEnd): void {
    record.end(end.reason, end.at, end.detail);
    const time = new Date(Number(end.at / 1_000_000n)).toISOString();
    this.#context.log.warning(() => `the freeze ended at ${time} without a thaw command: ${end.detail}`);
  }

  async #thaw(): Promise<number> {
    const { clock, hooks, log } = this.#context;
    const held = this.#machine.held;
    this.#machine.enter({ phase: 'thawing', held, endsFreeze: held !== undefined, remains: this.#machine.state.remains });
    held?.overdue?.cancel();
    const { thawed, failure, remains, end } = await this.#thawFileSystems(held);
    const hookFailure = await this.#finish(held?.hooks ?? await HookRound.forThaw(hooks, []), failure, remains);
    if (held !== undefined) {
      if (end !== undefined) this.#tellEnd(held, end);
      held.record.end('thaw', clock.now());
      log.info(() => held.record.thawLine());
    }
    if (failure !== undefined) throw failure;
    if (hookFailure !== undefined) throw hookFailure;
    return thawed;
  }

  async #thawFileSystems(held: HeldFreeze | undefined): Promise<ThawedFileSystems> {
    const { clock, freezing, log } = this.#context;
    const asked = clock.now();
    const record = held?.record;
    const outcomes: ThawOutcome[] = [];
    const owed: FrozenTarget[] = [];
    let failure: AgentError | undefined;
    let end: FreezeEnd | undefined;
    const note = (its: SessionThaw): void => {
      failure ??= its.failure;
      outcomes.push(...its.outcomes);
      owed.push(...its.remains);
    };
    if (held !== undefined) {
      note(await thawSession(held, this.#context));
      // What the deadline thawed before this was asked is not this thaw's to count.
      if (outcomes.some(({ thawedAt }) => thawedAt !== undefined && thawedAt < asked)) end = await newsOf(held.session, this.#context);
    }
    if (this.#machine.state.remains.length > 0) note(await thawDirectly(this.#machine.state.remains, this.#context, record));
    const settled = settledBy(outcomes);
    try {
      // qemu-ga 11.1 thaws every file system that it lists, by whomever it was frozen.
      const others = await freezing.thawEverything(undefined, new Set(outcomes.filter(({ thawed }) => thawed).map(({ id }) => id)));
      record?.thawed(others);
      this.#tellOthers(others, record);
      outcomes.push(...others);
      for (const id of settledBy(others)) settled.add(id);
      if (owed.every(({ id }) => settled.has(id))) failure = undefined;
    } catch (error) {
      // With a freeze of this agent's, everything that it froze is thawed already.
      if (held === undefined) failure ??= withContext('failed to thaw', error);
      else log.warning(() => `only what this agent froze was thawed: ${messageOf(error)}`);
    }
    const thawed = new Set(outcomes.filter((outcome) => outcome.thawed && (outcome.thawedAt ?? asked) >= asked).map(({ id }) => id));
    return { thawed: thawed.size, failure, remains: failure === undefined ? [] : owed.filter(({ id }) => !settled.has(id)), end };
  }

  /** Of file systems that are none of this freeze's, what was not thawed and may be frozen. */
  #tellOthers(others: readonly ThawOutcome[], record: FreezeRecord | undefined): void {
    for (const { id, mountPoint, leftOut, error } of others) {
      const detail = leftOut ?? error;
      if (detail === undefined || record?.isAbout(id) === true) continue;
      this.#context.log.warning(detail);
      if (record !== undefined) record.leftOut = [...record.leftOut, { mountPoint, reason: leftOut === undefined ? 'not-thawed' : 'suspended', detail }];
    }
  }

  /** After the last file system: the log goes on, the marker goes, hooks run. Answers the first failure of a hook. */
  async #finish(
    hooks: HookRound | undefined,
    failure: AgentError | undefined,
    remains: readonly FrozenTarget[],
  ): Promise<AgentError | undefined> {
    const { log } = this.#context;
    if (this.#machine.state.phase === 'thawing') this.#machine.enter({ ...this.#machine.state, held: undefined, remains });
    log.release();
    // The marker stays as long as something may be frozen, for whoever tries next.
    if (failure !== undefined) log.error(failure.message);
    if (remains.length === 0 && failure === undefined) await forgetMarker(this.#context);
    const hookFailure = await hooks?.thaw();
    if (hookFailure !== undefined) log.warning(hookFailure.message);
    this.#machine.enter({ phase: 'thawed', remains });
    return hookFailure;
  }

  // -- what would not thaw ----------------------------------------------------------------------------------

  async #thawAgain(): Promise<void> {
    const { log } = this.#context;
    const { phase, remains } = this.#machine.state;
    if (phase !== 'thawed' || remains.length === 0) return;
    this.#machine.enter({ phase: 'thawing', held: undefined, endsFreeze: false, remains });
    const { failure } = await thawDirectly(remains, this.#context, this.#record);
    if (failure === undefined) {
      log.warning(() => `what would not thaw is thawed: ${remains.map(({ mountPoint }) => mountPoint).join(', ')}`);
      await forgetMarker(this.#context);
    } else {
      log.debug(() => `tried again: ${failure.message}`);
    }
    this.#machine.enter({ phase: 'thawed', remains: failure === undefined ? [] : remains });
  }
}

interface ThawedFileSystems {
  readonly thawed: number;
  readonly failure: AgentError | undefined;
  /** What is frozen still, for all that is known. */
  readonly remains: readonly FrozenTarget[];
  /** Where the freeze had ended before the thaw was asked for. */
  readonly end: FreezeEnd | undefined;
}

const refusal = (): AgentError =>
  new AgentError('command-not-found', 'Command guest-fsfreeze-freeze has been disabled: the command is not allowed');
