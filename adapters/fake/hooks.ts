// SPDX-License-Identifier: Apache-2.0
import type { Hook, HookOutcome, HookPhase, Hooks } from '../../core/ports/index.ts';
import type { FakeClock } from './clock.ts';
import type { FakeFileSystems } from './file-systems.ts';

/** How one run of a hook goes; by default well and at once. */
export interface HookScript {
  readonly ok?: boolean;
  /** The whole sentence; default made from `output` as the protocol has it. */
  readonly error?: string;
  readonly output?: string;
  readonly takesMs?: number;
}

export interface HookDescription {
  readonly name: string;
  readonly refused?: string;
  /** Default true. */
  readonly canVeto?: boolean;
  readonly phases?: Readonly<Partial<Record<HookPhase, HookScript>>>;
}

export interface HookRun {
  readonly name: string;
  readonly phase: HookPhase;
  /** What was frozen when it began. */
  readonly frozen: readonly string[];
}

/** Scripted hooks, and a record of how they were run. */
export class FakeHooks implements Hooks {
  /** The hooks that the next freeze finds. */
  readonly installed: HookDescription[];
  readonly runs: HookRun[] = [];
  readonly #clock: FakeClock;
  readonly #fileSystems: FakeFileSystems;

  constructor(hooks: readonly HookDescription[], clock: FakeClock, fileSystems: FakeFileSystems) {
    this.installed = [...hooks];
    this.#clock = clock;
    this.#fileSystems = fileSystems;
  }

  async list(): Promise<readonly Hook[]> {
    return this.installed.map((hook) => ({
      name: hook.name,
      ...(hook.refused === undefined ? {} : { refused: hook.refused }),
      canVeto: hook.canVeto ?? true,
      run: (phase) => this.#run(hook, phase),
    }));
  }

  async #run(hook: HookDescription, phase: HookPhase): Promise<HookOutcome> {
    const { ok = true, output = '', error, takesMs = 0 } = hook.phases?.[phase] ?? {};
    this.runs.push({ name: hook.name, phase, frozen: this.#fileSystems.frozen });
    const start = this.#clock.monotonic();
    if (takesMs > 0) await this.#clock.sleep(takesMs);
    const reason = error ?? `child process has failed to execute fsfreeze hook: ${output === '' ? 'exit status 1' : output}`;
    return { ok, output, ...(ok ? {} : { error: reason }), durationNs: this.#clock.monotonic() - start };
  }
}
