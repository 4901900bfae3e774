// SPDX-License-Identifier: Apache-2.0
import type { KeptDescriptors } from '../../../core/ports/keeper.ts';
import type { FileSystem } from '../../../core/ports/file-system.ts';
import type { LinuxFacts } from '../facts/facts.ts';
import { linuxFiles } from './files.ts';
import { LinuxFreezing, type LinuxFreezingOptions } from '../freeze/freezing.ts';
import { linuxTrimming } from '../block/trimming.ts';

/** All that a file system can do here. */
export const linuxFileSystem = (
  facts: Pick<LinuxFacts, 'usage' | 'disks' | 'diskStatistics'>,
  freezing: LinuxFreezingOptions & { readonly root: string },
  kept?: KeptDescriptors,
): FileSystem => ({
  files: linuxFiles(kept),
  freezing: new LinuxFreezing({ ...freezing, ...(kept === undefined ? {} : { kept }) }),
  trimming: linuxTrimming(freezing.root),
  usage: facts.usage,
  disks: facts.disks,
  diskStatistics: facts.diskStatistics,
});
