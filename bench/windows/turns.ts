// SPDX-License-Identifier: Apache-2.0
/**
 * Which step of a freeze has the longest turn of the event loop on Windows, and what the machine itself makes of a loop that does
 * nothing. Freezes of VSS' double and idle time of the same length take turns in one process, so that both see the same machine.
 * Run by turns.sh, under Wine.
 */
import { createRequire } from 'node:module';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';

import { windowsBackend } from '../../adapters/windows/module.ts';
import type { Koffi, RawFunction } from '../../adapters/windows/koffi.ts';
import type { FreezeSession } from '../../kit/index.ts';
import { vssDlls, vssScene } from '../../test/windows/vss-double.ts';

const cycles = Number(process.argv[2] ?? 200);

/** How long each native function has kept this thread: longest and altogether, in milliseconds. */
const native = new Map<string, { count: number; longest: number; total: number }>();

/** koffi gives functions that tell how long they took. Before anything is loaded. */
function watchNativeCalls(): void {
  const koffi = createRequire(import.meta.url)('koffi') as Koffi;
  const load = koffi.load.bind(koffi);
  const watched = (name: string, raw: RawFunction): RawFunction => Object.assign((...args: readonly unknown[]) => {
    const begun = performance.now();
    const answer = raw(...args);
    const ms = performance.now() - begun;
    const sum = native.get(name) ?? { count: 0, longest: 0, total: 0 };
    native.set(name, { count: sum.count + 1, longest: Math.max(sum.longest, ms), total: sum.total + ms });
    return answer;
  }, { async: raw.async.bind(raw) });
  koffi.load = (path) => {
    const library = load(path);
    const func = library.func.bind(library) as (...definition: readonly unknown[]) => RawFunction;
    return {
      func: (...definition: readonly unknown[]) => watched(/(\w+)(?=\()|^\w+$/.exec(String(definition[0]))?.[0] ?? '?', func(...definition)),
      unload: () => library.unload(),
    };
  };
}

class Step {
  readonly name: string;
  /** The longest turn of each time that the step was taken, in milliseconds. */
  readonly #longest: number[] = [];
  #turns = 0;
  #ms = 0;

  constructor(name: string) {
    this.name = name;
  }

  async take<T>(work: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    // A new one each time: one that is enabled again counts the time for which it was not as a delay.
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    try {
      return await work();
    } finally {
      this.#ms += performance.now() - begun;
      // Some turns more: a long one that the work has ended with is counted, too.
      await pause(3);
      delay.disable();
      this.#longest.push(delay.max / 1e6);
      this.#turns += delay.count;
    }
  }

  get row(): string {
    const sorted = this.#longest.toSorted((one, other) => one - other);
    const at = (part: number): string => (sorted[Math.floor(part * (sorted.length - 1))] ?? 0).toFixed(1).padStart(8);
    return `${this.name.padEnd(8)}${at(0.5)}${at(0.9)}${at(0.99)}${at(1)}${String(this.#turns).padStart(9)}${this.#ms.toFixed(0).padStart(8)}`;
  }
}

watchNativeCalls();
const alive = setInterval(() => {}, 0x7fff_ffff);
vssScene();
const { fileSystem } = windowsBackend({ dlls: vssDlls });
const freezing = fileSystem?.freezing;
if (freezing === undefined) throw new Error('no freezing');
const [first, begin, freeze, thaw, idle] = [new Step('first'), new Step('begin'), new Step('freeze'), new Step('thaw'), new Step('idle')];

async function cycle(steps: readonly [Step, Step, Step]): Promise<void> {
  const survey = await freezing?.survey() ?? [];
  const targets = survey.filter(({ leftOut }) => leftOut === undefined).map(({ id, mountPoints }) => ({ id, mountPoint: mountPoints[0] ?? id }));
  const session = await steps[0].take(async () => freezing?.begin({ levels: [targets], deadlineMs: 0, freezeWithinMs: 0, stateDirectory: 'C:\\' }) as Promise<FreezeSession>);
  await steps[1].take(() => session.freeze());
  await steps[2].take(() => session.thaw());
}

await cycle([first, first, first]);
const ofFirst = new Map(native);
native.clear();
for (let count = 1; count < cycles; count += 1) {
  await cycle([begin, freeze, thaw]);
  for (let step = 0; step < 3; step += 1) await idle.take(() => pause(20));
}
clearInterval(alive);

console.log(`${cycles} freezes; the longest turn of the event loop of each, in ms: median, 90 %, 99 %, longest; samples and ms in all`);
for (const step of [first, begin, freeze, thaw, idle]) console.log(step.row);
const longest = (of: typeof native): string => [...of].toSorted(([, one], [, other]) => other.longest - one.longest).slice(0, 8)
  .map(([name, { count, longest: ms, total }]) => `  ${name}: ${ms.toFixed(1)} ms, ${count} times, ${(total / count).toFixed(3)} ms each`).join('\n');
console.log(`native calls on the JavaScript thread by their longest, in the first freeze:\n${longest(ofFirst)}\nin the others:\n${longest(native)}`);
