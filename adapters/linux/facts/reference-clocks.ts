// SPDX-License-Identifier: Apache-2.0
import type { ReferenceClock, ReferenceReading } from '../../../core/ports/clock.ts';
import { attribute, namesInIfAny } from '../kernel-files.ts';

/** The system calls of a PTP clock. */
export interface PtpSystem {
  /** Its time, CLOCK_BOOTTIME at that moment, and by how much that may be wrong. */
  readPtpClock(path: string): Promise<PtpReading>;
  /** The same of one that is held open, at once. @throws os error, of both */
  readonly PtpClock: new (path: string) => { read(): PtpReading; close(): void };
}

type PtpReading = readonly [time: bigint, boot: bigint, within: bigint];

/** Held open, for readings that wait for nothing: one at a time, the best. */
export class HeldClock {
  readonly #system: PtpSystem;
  #held: { readonly path: string; readonly clock: InstanceType<PtpSystem['PtpClock']> } | undefined;

  constructor(system: PtpSystem) {
    this.#system = system;
  }

  /** @throws os error: then it is opened anew the next time */
  read(path: string): ReferenceReading {
    if (this.#held?.path !== path) this.#letGo();
    try {
      this.#held ??= { path, clock: new this.#system.PtpClock(path) };
      return readingOf(this.#held.clock.read());
    } catch (error) {
      this.#letGo();
      throw error;
    }
  }

  #letGo(): void {
    this.#held?.clock.close();
    this.#held = undefined;
  }
}

const readingOf = ([time, monotonic, within]: PtpReading): ReferenceReading => ({ time, monotonic, within });

/**
 * What drivers call the clock of a hypervisor (`clock_name`): ptp_kvm, ptp_vmclock, Hyper-V's, VMware's. That of a network adapter
 * counts from whenever it likes.
 */
const ofHypervisors = /^(?:KVM virtual PTP|vmclock\d*|hyperv|ptp_vmw)$/;

/** Looked at for each reading, for a restored guest may have others: those of now. `root` stands before /sys and /dev. */
export function ptpClocks(root: string, system: PtpSystem, held: HeldClock): readonly ReferenceClock[] {
  const directory = `${root}/sys/class/ptp`;
  const clocks = namesInIfAny(directory).filter((name) => /^ptp\d+$/.test(name)).flatMap((name) => {
    const called = attribute(`${directory}/${name}/clock_name`) ?? '';
    return ofHypervisors.test(called) ? [{ path: `${root}/dev/${name}`, called }] : [];
  });
  return clocks.toSorted((a, b) => rank(a.called) - rank(b.called)).map(({ path, called }) => ({
    name: `${path} (${called})`,
    read: async () => readingOf(await system.readPtpClock(path)),
    glance: () => held.read(path),
  }));
}

/** A vmclock knows of leap seconds and of its own error, where the hypervisor fills it in. */
const rank = (called: string): number => (called.startsWith('vmclock') ? 0 : 1);
