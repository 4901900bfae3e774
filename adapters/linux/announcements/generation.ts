// SPDX-License-Identifier: Apache-2.0
import type { Generation, GenerationChange } from '../../../core/ports/generation.ts';
import type { Processes } from '../../../core/ports/processes.ts';
import { programsIn, runHook } from '../programs/hook-directory.ts';
import { listenForFork } from './kernel-log.ts';
import type { Uevents } from './uevents.ts';

export interface LinuxGenerationOptions {
  /** A directory of hooks; '' for none. */
  readonly directory: string;
  /** For each hook, in milliseconds; 0: for ever. */
  readonly timeLimitMs: number;
  readonly uevents: Pick<Uevents, 'listen'>;
  /** Calls back when the kernel's log tells of one, where it can be read; answers how to stop. */
  readonly log?: (listener: () => void) => (() => void) | undefined;
  readonly processes?: Processes;
}

/**
 * Other generations of this guest, as the vmgenid driver tells of them: `NEW_VMGENID=1` in a change of its device, where the kernel has
 * that (6.12 has not), and, as on 6.12, a line in the kernel's log. Whoever says both says it once: one that is ahead
 * of the other is news.
 */
export const linuxGeneration = ({ directory, timeLimitMs, uevents, log = listenForFork, processes }: LinuxGenerationOptions): Generation => ({
  async watch(listener) {
    const heard = { uevents: 0, log: 0 };
    let told = 0;
    const hear = (by: keyof typeof heard): void => {
      heard[by] += 1;
      if (heard[by] <= told) return;
      told = heard[by];
      listener();
    };
    const stops = [
      uevents.listen((event) => {
        if (event.get('NEW_VMGENID') === '1') hear('uevents');
      }),
      log(() => hear('log')),
    ];
    return { stop: () => stops.splice(0).forEach((stop) => stop?.()) };
  },
  async hooks() {
    const programs = await programsIn(directory, 'generation hook');
    return programs.map(({ path, ...rest }) => ({
      name: path,
      ...rest,
      run: (change) => runHook({
        path, name: path, arguments: ['generation'], action: `execute generation hook ${path}`, environment: environmentOf(change), timeLimitMs, processes,
      }),
    }));
  },
});

const environmentOf = ({ from, to, clockOffBy }: GenerationChange): string[] => [
  `CONCIERGE_OLD_GENERATION=${from}`,
  `CONCIERGE_NEW_GENERATION=${to}`,
  ...(clockOffBy === undefined ? [] : [`CONCIERGE_CLOCK_OFF_BY_NS=${clockOffBy}`]),
];
