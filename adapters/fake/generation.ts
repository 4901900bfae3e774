// SPDX-License-Identifier: Apache-2.0
import type { Generation, GenerationChange, GenerationHook, GenerationNews, GenerationWatch, HookOutcome } from '../../core/ports/index.ts';
import type { FakeClock } from './clock.ts';
import type { HookScript } from './hooks.ts';

export interface GenerationHookDescription extends HookScript {
  readonly name: string;
  readonly refused?: string;
}

export interface GenerationHookRun extends GenerationChange {
  readonly name: string;
  /** What the wall clock said when it began. */
  readonly at: bigint;
}

/** A hypervisor that restores and copies this guest, and scripted hooks with a record of how they were run. */
export class FakeGeneration implements Generation {
  readonly installed: GenerationHookDescription[];
  readonly runs: GenerationHookRun[] = [];
  readonly #clock: FakeClock;
  readonly #listeners = new Set<(news: GenerationNews) => void>();
  /** What has been said, and is heard when somebody looks. */
  readonly #marks: GenerationNews[] = [];

  constructor(hooks: readonly GenerationHookDescription[], clock: FakeClock) {
    this.installed = [...hooks];
    this.#clock = clock;
  }

  async watch(listener: (news: GenerationNews) => void, since?: string): Promise<GenerationWatch> {
    // Each watch is one of its own, also of the same listener.
    const call = (news: GenerationNews): void => listener(news);
    this.#listeners.add(call);
    let heard = since === undefined ? this.#marks.length : Number(since);
    return {
      look: () => {
        if (!this.#listeners.has(call)) return;
        const news = this.#marks.slice(heard);
        heard = this.#marks.length;
        for (const one of news) call(one);
      },
      heard: () => String(heard),
      stop: () => void this.#listeners.delete(call),
    };
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** The guest goes on from a snapshot of so many milliseconds ago, and the hypervisor says so. */
  restored(ms: number): void {
    this.#clock.standStill(ms);
    this.announce();
  }

  announce(news: GenerationNews = 'generation'): void {
    for (const listener of this.#listeners) listener(news);
  }

  /** The same where the system tells of it only to who looks. */
  mark(news: GenerationNews): void {
    this.#marks.push(news);
  }

  async hooks(): Promise<readonly GenerationHook[]> {
    return this.installed.map((hook) => ({
      name: hook.name,
      ...(hook.refused === undefined ? {} : { refused: hook.refused }),
      run: (change) => this.#run(hook, change),
    }));
  }

  async #run({ name, ok = true, output = '', error, takesMs = 0 }: GenerationHookDescription, change: GenerationChange): Promise<HookOutcome> {
    const clock = this.#clock;
    this.runs.push({ ...change, name, at: clock.now() });
    const start = clock.monotonic();
    if (takesMs > 0) await clock.sleep(takesMs);
    const reason = error ?? `child process has failed to execute generation hook ${name}: ${output === '' ? 'exit status 1' : output}`;
    return { ok, output, ...(ok ? {} : { error: reason }), durationNs: clock.monotonic() - start };
  }
}
