// SPDX-License-Identifier: Apache-2.0
import type { DiskInfo, Disks } from '../../core/ports/file-system.ts';
import { addressOfDisk } from './disk-address.ts';
import { diskNodes } from './disk-nodes.ts';
import { within } from '../shared/within.ts';

/** A disk that does not answer for so long is listed without its address. */
const patienceMs = 5_000;

/** The disks; Windows has no names for partitions of its own. */
export const windowsDisks: Disks = {
  async list() {
    const found: DiskInfo[] = [];
    const nodes = await diskNodes();
    for (const number of nodes.keys()) {
      const address = await within(patienceMs, addressOfDisk(number, nodes));
      found.push({ name: `\\\\.\\PhysicalDrive${number}`, partition: false, ...(address === undefined ? {} : { address }) });
    }
    return found;
  },
};
