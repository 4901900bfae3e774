// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';
import type { Clock, Timer } from '../ports/clock.ts';
import type { Ready } from '../ports/index.ts';
import type { BegunFreeze } from './session.ts';
import type { FreezeState, HeldFreeze } from './state.ts';

/** What would not thaw is tried again after so long, and then after twice as long each time. */
const firstRetryMs = 2_000;
const longestRetryMs = 60_000;

/** An answer about the state waits for the freeze or thaw that is changing it, whose own limits are shorter mostly. */
const changeLimitMs = 600_000;

/** The state of the freeze: what is told of it, who waits for its change, and when what would not thaw is tried again. */
export class FreezeStateMachine {
  readonly #clock: Clock;
  readonly #thawAgain: () => void;
  #state: FreezeState = { phase: 'thawed', remains: [] };
  #ending = false;
  /** While freezing or thawing: resolves when that is over. */
  #change: PromiseWithResolvers<void> | undefined;
  #retry: Timer | undefined;
  #retryMs = firstRetryMs;
  #quiet: () => void = () => undefined;

  /** @param thawAgain is called later, again and again, as long as something would not thaw */
  constructor(clock: Clock, thawAgain: () => void) {
    this.#clock = clock;
    this.#thawAgain = thawAgain;
  }

  get state(): FreezeState {
    return this.#state;
  }

  get begun(): BegunFreeze | undefined {
    return 'begun' in this.#state ? this.#state.begun : undefined;
  }

  get held(): HeldFreeze | undefined {
    return 'held' in this.#state ? this.#state.held : undefined;
  }

  /** Whether commands that could touch a disk are refused: from the first hook of a freeze until it is being thawed. */
  get isFrozen(): boolean {
    return this.#state.phase === 'freezing' || this.#state.phase === 'frozen';
  }

  /** Whether nothing is frozen, on its way, or to be tried again. */
  get isQuiet(): boolean {
    return this.#state.phase === 'thawed' && this.#state.remains.length === 0;
  }

  /** Whether the agent ends. */
  get isEnding(): boolean {
    return this.#ending;
  }

  /** From now on nothing is tried again by itself. */
  end(): void {
    this.#ending = true;
  }

  /** Calls back whenever it has become quiet again. */
  onQuiet(listener: () => void): void {
    this.#quiet = listener;
  }

  /** While a freeze is being thawed: resolves after its last hook. */
  get thawing(): Promise<void> | undefined {
    return this.#state.phase === 'thawing' && this.#state.endsFreeze ? this.#change?.promise : undefined;
  }

  /**
   * What the host is told. `frozen` only once everything is: a host that takes its snapshot on this word must not be
   * early. A deadline that has passed counts although its news are still on their way.
   */
  get status(): 'thawed' | 'frozen' {
    const { held } = this;
    if (held === undefined) return this.#state.remains.length > 0 && this.#state.phase !== 'freezing' ? 'frozen' : 'thawed';
    return held.deadline !== undefined && this.#clock.monotonic() >= held.deadline ? 'thawed' : 'frozen';
  }

  /**
   * An answer about the state, once no freeze or thaw is changing it any more: a host whose freeze timed out, or that
   * follows one whose host has gone, must not be told `thawed` by an agent that then freezes.
   *
   * @throws failed error (as a rejection) when that takes too long
   */
  whenSettled<T>(answer: () => T): Ready<T> {
    const change = this.#state.phase === 'freezing' ? this.#change?.promise : this.thawing;
    return change === undefined ? answer() : this.#afterChange(change, answer);
  }

  enter(state: FreezeState): void {
    this.#state = state;
    this.#retry?.cancel();
    this.#retry = undefined;
    if (state.phase === 'freezing' || state.phase === 'thawing') {
      this.#change ??= Promise.withResolvers();
      return;
    }
    this.#change?.resolve();
    this.#change = undefined;
    if (this.isQuiet) this.#quiet();
    if (state.remains.length === 0) this.#retryMs = firstRetryMs;
    else if (state.phase === 'thawed' && !this.#ending) this.#retryLater();
  }

  async #afterChange<T>(change: Promise<void>, answer: () => T): Promise<T> {
    const late = Promise.withResolvers<'late'>();
    const timer = this.#clock.after(changeLimitMs, () => late.resolve('late'));
    const came = await Promise.race([change, late.promise]);
    timer.cancel();
    if (came === 'late') throw AgentError.failed(`file systems have been on their way between thawed and frozen for ${changeLimitMs / 1000} s`);
    return answer();
  }

  #retryLater(): void {
    this.#retry = this.#clock.after(this.#retryMs, this.#thawAgain);
    this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
  }
}
