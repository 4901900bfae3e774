// SPDX-License-Identifier: Apache-2.0
import { readdir, readFile } from 'node:fs/promises';
import type { ReferenceClock, ReferenceReading } from '../../../core/ports/clock.ts';

/** The system calls of a PTP clock. */
export interface PtpSystem {
  /** Its time, CLOCK_BOOTTIME at that moment, and by how much that may be wrong. */
  readPtpClock(path: string): Promise<readonly [time: bigint, boot: bigint, within: bigint]>;
}

/**
 * What drivers call the clock of a hypervisor (`clock_name`): ptp_kvm, ptp_vmclock, Hyper-V's, VMware's. That of a network adapter
 * counts from whenever it likes.
 */
const ofHypervisors = /^(?:KVM virtual PTP|vmclock\d*|hyperv|ptp_vmw)$/;

/** Looked at for each reading, for a restored guest may have others: those of now. `root` stands before /sys and /dev. */
export async function ptpClocks(root: string, system: PtpSystem): Promise<readonly ReferenceClock[]> {
  const directory = `${root}/sys/class/ptp`;
  const names = await readdir(directory).catch((): string[] => []);
  const clocks = await Promise.all(names.filter((name) => /^ptp\d+$/.test(name)).map(async (name) => {
    const called = (await readFile(`${directory}/${name}/clock_name`, 'latin1').catch(() => '')).trim();
    return ofHypervisors.test(called) ? [{ path: `${root}/dev/${name}`, called }] : [];
  }));
  return clocks.flat().toSorted((a, b) => rank(a.called) - rank(b.called)).map(({ path, called }) => ({
    name: `${path} (${called})`,
    read: async (): Promise<ReferenceReading> => {
      const [time, monotonic, within] = await system.readPtpClock(path);
      return { time, monotonic, within };
    },
  }));
}

/** A vmclock knows of leap seconds and of its own error, where the hypervisor fills it in. */
const rank = (called: string): number => (called.startsWith('vmclock') ? 0 : 1);
