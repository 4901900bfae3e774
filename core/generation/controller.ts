// SPDX-License-Identifier: Apache-2.0
import { messageOf } from '../errors/agent-error.ts';
import type { FreezeController } from '../freeze/controller.ts';
import type { Backend, Generation, GenerationChange, GenerationHook, GenerationNews, GenerationWatch, HookOutcome, Log } from '../ports/index.ts';
import { correctClock, type ClockCheck, type GenerationReport } from './correct-clock.ts';
import { Standstill, type ClockDistances } from './standstill.ts';

export interface GenerationSettings {
  /** What the wall clock may be off by before it is stepped, in milliseconds; 0: it never is. */
  readonly limitMs: number;
}

export interface GenerationContext {
  readonly backend: Backend;
  readonly log: Log;
  readonly freeze: FreezeController | undefined;
  readonly settings: GenerationSettings;
  /** Ends the conversations with hosts that are gone, and answers how many those were. */
  readonly dropConnections: () => number;
  /** Something that was under way has come to an end. */
  readonly stirred: () => void;
}

/** What another agent goes on from. */
export interface GenerationLegacy {
  readonly report: GenerationReport;
  readonly clocks: ClockDistances | undefined;
  /** How far the hypervisor has been listened to. */
  readonly heard?: string | undefined;
}

interface DueCheck {
  occasion: ClockCheck['occasion'];
  isDue: () => Promise<boolean>;
}

/**
 * What is done when this guest goes on as another one. The rules:
 *
 * 1. The clock first, then connections, then a freeze, then hooks: each may need the one before it.
 * 2. While the clock is looked at, no request is answered: the first answer has the right time already. That takes as long as the
 *    clocks take to be read, which is bounded; hooks hold up nothing.
 * 3. A freeze that was on is thawed: what it was for is in the snapshot, its host is another one or none, and the hooks write to disks.
 * 4. Once each: two announcements are two generations, one after the other. In a storm of them one waits at most, for the last of all.
 * 5. Whoever asks has the right time, also where the kernel has not said anything yet: before a request that comes after a pause, and
 *    before the first of a host that has come, one clock is looked at.
 */
export class GenerationController {
  readonly #context: GenerationContext;
  readonly #standstill: Standstill;
  #report: GenerationReport = { number: 0, hooks: [], 'hooks-under-way': false };
  #watch: GenerationWatch | undefined;
  /** Up to where the agent before this one has listened. */
  #since: string | undefined;
  #stopped = false;
  #settling: Promise<void> | undefined;
  /** Before the last input of any host was looked at, a clock was. */
  #hasLooked = false;
  /** The look at the clock that has not begun yet. */
  #dueCheck: DueCheck | undefined;
  /** The generation whose hooks wait for those of another one. */
  #dueTurn: { to: number } | undefined;
  #turn: Promise<void> = Promise.resolve();
  #underWay = 0;

  constructor(context: GenerationContext) {
    this.#context = context;
    this.#standstill = new Standstill(context.backend.clock, context.settings.limitMs);
  }

  /** Listens from now on. What cannot be heard is logged. Never rejects. */
  async begin(): Promise<void> {
    const { backend, log } = this.#context;
    try {
      const { generation } = backend;
      const watch = await generation?.watch((news) => this.#heard(generation, news), this.#since);
      if (this.#stopped) watch?.stop();
      else this.#watch = watch;
      // Said while nobody listened.
      this.#watch?.look?.();
    } catch (error) {
      log.warning(() => `a restore of this guest cannot be heard of: ${messageOf(error)}`);
    }
    await (this.#standstill.last === undefined ? this.#standstill.remember() : undefined);
  }

  stop(): void {
    this.#stopped = true;
    this.#watch?.stop();
  }

  /** While the clock is looked at: resolves when it is right, or cannot be set right. */
  get settling(): Promise<void> | undefined {
    return this.#settling;
  }

  get isQuiet(): boolean {
    return this.#underWay === 0 && this.#settling === undefined;
  }

  /** A host has come: after a standstill of which nobody has heard, the clock is looked at. */
  hostCame(): void {
    this.#suspect('host');
  }

  /** Before each request, so that nothing is answered by a clock that has stood still. `isFirst`: its host may be another one than before. */
  requestCame(isFirst: boolean): void {
    this.#watch?.look?.();
    if (this.#context.settings.limitMs === 0) return;
    // A snapshot is taken while everything is frozen, mostly, and right behind the request that froze it.
    const suspected = this.#standstill.isSuspected(isFirst || this.#context.freeze?.isFrozen === true);
    this.#hasLooked = suspected !== undefined;
    if (suspected === undefined || suspected === false) return;
    this.#check(isFirst ? 'host' : 'request', async () => (suspected === true || (await suspected())) && this.#standstill.hasBeen());
  }

  /**
   * A host synchronizes, as each does that has just come: a port need not have told of that, where the one before was connected at the time of
   * the snapshot. So a clock is looked at, unless that was done for this very input. Resolves when it is right; never rejects.
   */
  hostSynchronized(): Promise<void> | undefined {
    if (!this.#hasLooked) this.requestCame(true);
    return this.#settling;
  }

  report(): GenerationReport {
    return this.#report;
  }

  get legacy(): GenerationLegacy {
    return { report: this.#report, clocks: this.#standstill.last, heard: this.#watch?.heard?.() };
  }

  /** Goes on from an agent that went to sleep: the guest may have been restored meanwhile. */
  inherit(legacy: GenerationLegacy | undefined): void {
    if (legacy === undefined) return;
    this.#report = legacy.report;
    this.#standstill.inherit(legacy.clocks);
    this.#since = legacy.heard;
    this.hostCame();
  }

  #heard(generation: Generation, news: GenerationNews): void {
    if (news === 'disruption') this.#suspect(news);
    else this.#changed(generation);
  }

  #suspect(occasion: ClockCheck['occasion']): void {
    if (this.#context.settings.limitMs > 0) this.#check(occasion, () => this.#standstill.hasBeen());
  }

  #changed(generation: Generation): void {
    const { backend, log, dropConnections } = this.#context;
    const from = Number(this.#report.number);
    const to = from + 1;
    log.warning(() => `this guest goes on as another one: generation ${to}`);
    this.#report = { number: to, 'changed-at': backend.clock.now(), hooks: [], 'hooks-under-way': true };
    this.#check('generation', async () => true);
    const dropped = dropConnections();
    this.#report = { ...this.#report, 'connections-dropped': dropped };
    if (this.#dueTurn !== undefined && this.#underWay > 1) this.#dueTurn.to = to;
    else this.#queue(generation, { from, to });
  }

  #queue(generation: Generation, turn: { readonly from: number; to: number }): void {
    this.#dueTurn = turn;
    this.#underWay += 1;
    const follow = async (): Promise<void> => {
      await this.#settling;
      if (this.#dueTurn === turn) this.#dueTurn = undefined;
      await this.#thaw();
      await this.#runHooks(generation, turn.from, turn.to);
    };
    this.#turn = this.#turn.then(follow).finally(() => {
      this.#underWay -= 1;
      this.#context.stirred();
    });
  }

  /** Requests wait for it. One is under way and one waits at most: whoever asks meanwhile is served by that one. `isDue` never rejects. */
  #check(occasion: DueCheck['occasion'], isDue: DueCheck['isDue']): void {
    if (this.#dueCheck !== undefined) {
      if (occasion === 'generation') Object.assign(this.#dueCheck, { occasion, isDue });
      return;
    }
    const check: DueCheck = { occasion, isDue };
    this.#dueCheck = check;
    const settling = (this.#settling ?? Promise.resolve()).then(async () => {
      this.#dueCheck = undefined;
      await ((await check.isDue()) ? this.#correct(check.occasion) : undefined);
    }).finally(() => {
      if (this.#settling === settling) this.#settling = undefined;
    });
    this.#settling = settling;
  }

  async #correct(occasion: ClockCheck['occasion']): Promise<void> {
    const { backend, log, settings } = this.#context;
    const clock = await correctClock({ clock: backend.clock, log, limitMs: settings.limitMs }, occasion);
    this.#report = { ...this.#report, clock };
    await this.#standstill.remember();
  }

  async #thaw(): Promise<void> {
    const { freeze, log } = this.#context;
    if (freeze?.isFrozen !== true) return;
    log.warning('the freeze that was on is over: the host that it was for is that of another generation');
    try {
      await freeze.thaw();
    } catch (error) {
      log.error(() => `failed to thaw after a restore: ${messageOf(error)}`);
    }
  }

  async #runHooks(generation: Generation, from: number, to: number): Promise<void> {
    const offBy = this.#report.clock?.['off-by'];
    const change: GenerationChange = { from, to, ...(offBy === undefined ? {} : { clockOffBy: BigInt(offBy) }) };
    const results: GenerationReport['hooks'][number][] = [];
    const tell = (members: Partial<GenerationReport>): void => {
      // Another generation may have begun: what is reported then is that one.
      if (this.#report.number === to) this.#report = { ...this.#report, ...members };
    };
    try {
      for (const hook of await generation.hooks()) {
        // oxlint-disable-next-line no-await-in-loop -- in the order of their names
        const outcome = await this.#run(hook, change);
        results.push({
          name: hook.name, ok: outcome.ok, output: outcome.output, 'duration-ns': outcome.durationNs,
          ...(outcome.error === undefined ? {} : { error: outcome.error }),
        });
        tell({ hooks: [...results] });
      }
      tell({ 'hooks-under-way': false });
    } catch (error) {
      this.#context.log.error(() => `the hooks of a generation cannot be listed: ${messageOf(error)}`);
      tell({ 'hooks-under-way': false, error: messageOf(error) });
    }
  }

  async #run(hook: GenerationHook, change: GenerationChange): Promise<HookOutcome> {
    const { log } = this.#context;
    const outcome = await this.#outcomeOf(hook, change);
    const said = outcome.output === '' ? '' : `: ${outcome.output}`;
    if (outcome.ok) log.info(() => `generation hook ${hook.name}${said}`);
    else log.error(() => `generation hook ${hook.name} failed: ${String(outcome.error)}`);
    return outcome;
  }

  async #outcomeOf(hook: GenerationHook, change: GenerationChange): Promise<HookOutcome> {
    if (hook.refused !== undefined) return { ok: false, error: `it must not run: ${hook.refused}`, output: '', durationNs: 0n };
    try {
      return await hook.run(change);
    } catch (error) {
      // Against the contract, and no reason to leave the others out.
      return { ok: false, error: messageOf(error), output: '', durationNs: 0n };
    }
  }
}
