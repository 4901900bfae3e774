// SPDX-License-Identifier: Apache-2.0
import type { Generation, GenerationChange } from '../../../core/ports/generation.ts';
import type { Processes } from '../../../core/ports/processes.ts';
import { programsIn, runHook } from '../programs/hook-directory.ts';
import type { Uevents } from './uevents.ts';

export interface LinuxGenerationOptions {
  /** A directory of hooks; '' for none. */
  readonly directory: string;
  /** For each hook, in milliseconds; 0: for ever. */
  readonly timeLimitMs: number;
  readonly uevents: Pick<Uevents, 'listen'>;
  readonly processes?: Processes;
}

/**
 * Other generations of this guest, as the vmgenid driver tells of them: `NEW_VMGENID=1` in a change of its device, from Linux 6.9 on.
 * The driver of older kernels stirs the kernel's randomness and tells nobody.
 */
export const linuxGeneration = ({ directory, timeLimitMs, uevents, processes }: LinuxGenerationOptions): Generation => ({
  async watch(listener) {
    const stop = uevents.listen((event) => {
      if (event.get('NEW_VMGENID') === '1') listener();
    });
    return { stop };
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
