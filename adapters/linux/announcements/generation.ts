// SPDX-License-Identifier: Apache-2.0
import type { Generation, GenerationChange, GenerationNews } from '../../../core/ports/generation.ts';
import type { KeptDescriptors } from '../../../core/ports/keeper.ts';
import type { Processes } from '../../../core/ports/processes.ts';
import { programsIn, runHook } from '../programs/hook-directory.ts';
import { kernelLog, type ListenForFork } from './kernel-log.ts';
import type { Uevents } from './uevents.ts';
import { watchVmclock, type VmclockWatch } from './vmclock.ts';

export interface LinuxGenerationOptions {
  /** A directory of hooks; '' for none. */
  readonly directory: string;
  /** For each hook, in milliseconds; 0: for ever. */
  readonly timeLimitMs: number;
  readonly uevents: Pick<Uevents, 'listen'>;
  /** Calls back when the kernel's log tells of one, where it can be read; answers how to stop. */
  readonly log?: ListenForFork;
  /** What outlives the agent. */
  readonly kept?: KeptDescriptors | undefined;
  /** The page of a VMClock, where there is one. */
  readonly vmclock?: (listener: (news: GenerationNews) => void, since?: string) => VmclockWatch | undefined;
  readonly processes?: Processes;
}

/**
 * Other generations of this guest. The vmgenid driver tells of them by `NEW_VMGENID=1` in a change of its device, where the kernel has that
 * (those of Debian have not), and by a line in the kernel's log; a VMClock counts them in its page. Whoever says it in
 * several ways says it once: the way that is ahead of all others is news.
 */
export const linuxGeneration = ({ directory, timeLimitMs, uevents, kept, log = kernelLog(kept), vmclock = watchVmclock, processes }: LinuxGenerationOptions): Generation => ({
  async watch(listener, since) {
    const heard = { uevents: 0, log: 0, vmclock: 0 };
    let told = 0;
    const hear = (by: keyof typeof heard): void => {
      heard[by] += 1;
      if (heard[by] <= told) return;
      told = heard[by];
      listener('generation');
    };
    const stops = [
      uevents.listen((event) => {
        if (event.get('NEW_VMGENID') === '1') hear('uevents');
      }),
      log(() => hear('log')),
    ];
    const page = vmclock((news) => {
      if (news === 'generation') hear('vmclock');
      else listener(news);
    }, since);
    return {
      look: () => {
        if (stops.length > 0) page?.look();
      },
      // A socket and a descriptor that are kept know of themselves how far they were read.
      heard: () => page?.heard(),
      stop: () => {
        if (stops.length > 0) page?.stop();
        stops.splice(0).forEach((stop) => stop?.());
      },
    };
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
