// SPDX-License-Identifier: Apache-2.0
import type { FreezeCandidate } from '../../../core/ports/freezing.ts';
import { attribute } from '../kernel-files.ts';
import type { MountTable, SurveyedFileSystem } from './freeze-survey.ts';

/** How many uevents the kernel has sent since it started: one for every device that comes, goes or changes. */
const ueventsSoFar = (): string | undefined => attribute('/sys/kernel/uevent_seqnum');

interface Kept {
  readonly sequence: string;
  readonly candidates: readonly FreezeCandidate[];
}

/**
 * The last look at what lies under the file systems, for a freeze right after another: as long as the list of mounts is the same one
 * and no device has come, gone or changed. Not where devices are put together of others: a table of device-mapper, an array
 * of md can be changed without either. What it says of data to be written back is of its time.
 */
export class KeptSurvey {
  readonly #kept = new WeakMap<MountTable, Kept>();
  readonly #sequence: () => string | undefined;

  constructor(sequence = ueventsSoFar) {
    this.#sequence = sequence;
  }

  of(table: MountTable, look: (table: MountTable) => { readonly found: readonly SurveyedFileSystem[]; readonly isFixed: boolean }): readonly FreezeCandidate[] {
    // Before the look: what changes in the middle of it is a later one.
    const sequence = this.#sequence();
    const kept = this.#kept.get(table);
    if (kept !== undefined && kept.sequence === sequence) return kept.candidates;
    const { found, isFixed } = look(table);
    const candidates = found.map(({ candidate }) => candidate);
    if (isFixed && sequence !== undefined) this.#kept.set(table, { sequence, candidates });
    return candidates;
  }
}
