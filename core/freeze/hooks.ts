// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext, messageOf } from '../errors/agent-error.ts';
import type { Hook, HookOutcome, HookPhase, Hooks } from '../ports/hooks.ts';

export interface HookResult extends HookOutcome {
  readonly name: string;
  readonly phase: HookPhase;
}

/** The hooks of one freeze: which have run for it, and so are owed their thaw. */
export class HookRound {
  readonly #hooks: readonly Hook[];
  readonly #results: HookResult[];
  #ran: Hook[] = [];
  #unlisted: AgentError | undefined;

  private constructor(hooks: readonly Hook[], results: HookResult[]) {
    this.#hooks = hooks;
    this.#results = results;
  }

  /** Until they are listed: none has run. */
  static none(results: HookResult[]): HookRound {
    return new HookRound([], results);
  }

  /** @param results where every run is noted */
  static async forFreeze(hooks: Hooks | undefined, results: HookResult[]): Promise<HookRound> {
    return new HookRound((await hooks?.list()) ?? [], results);
  }

  /** For a thaw without a freeze of this agent's: all hooks are owed it, as in qemu-ga 11.1. Never rejects. */
  static async forThaw(hooks: Hooks | undefined, results: HookResult[]): Promise<HookRound> {
    try {
      const round = await HookRound.forFreeze(hooks, results);
      round.#ran = round.#hooks.filter(({ refused }) => refused === undefined);
      return round;
    } catch (error) {
      const round = HookRound.none(results);
      round.#unlisted = withContext('failed to list the fsfreeze hooks', error);
      return round;
    }
  }

  get isEmpty(): boolean {
    return this.#hooks.length === 0;
  }

  /** @throws failed error, the veto of a hook or the refusal of one that could veto */
  async freeze(): Promise<void> {
    for (const { name, refused, canVeto } of this.#hooks) {
      if (refused !== undefined && canVeto) throw AgentError.failed(`fsfreeze hook ${name} must not run: ${refused}`);
    }
    for (const hook of this.#hooks) {
      if (hook.refused !== undefined) continue;
      // One that fails has run too: what it did before it failed is its thaw's to undo.
      this.#ran.push(hook);
      // oxlint-disable-next-line no-await-in-loop -- in the order of their names
      const { ok, error } = await this.#run(hook, 'freeze');
      if (!ok && hook.canVeto) throw AgentError.failed(error ?? `fsfreeze hook ${hook.name} failed`);
    }
  }

  /** Tells those that ran that the freeze has failed. Their failures change nothing. */
  async fail(): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- the reverse order
    for (const hook of this.#ran.toReversed()) await this.#run(hook, 'freezefail');
  }

  /** Runs the thaw of those that are owed it, all of them whatever fails, and answers the first failure. */
  async thaw(): Promise<AgentError | undefined> {
    let failure = this.#unlisted;
    const owed = this.#ran.toReversed();
    this.#ran = [];
    for (const hook of owed) {
      // oxlint-disable-next-line no-await-in-loop -- the reverse order
      const { ok, error } = await this.#run(hook, 'thaw');
      if (!ok) failure ??= AgentError.failed(error ?? `fsfreeze hook ${hook.name} failed`);
    }
    return failure;
  }

  async #run(hook: Hook, phase: HookPhase): Promise<HookOutcome> {
    let outcome: HookOutcome;
    try {
      outcome = await hook.run(phase);
    } catch (error) {
      // Against the contract, and still no reason to leave anything frozen.
      outcome = { ok: false, error: `fsfreeze hook ${hook.name}: ${messageOf(error)}`, output: '', durationNs: 0n };
    }
    this.#results.push({ ...outcome, name: hook.name, phase });
    return outcome;
  }
}
