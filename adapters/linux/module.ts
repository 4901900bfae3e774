// SPDX-License-Identifier: Apache-2.0
import type { Backend, KeptDescriptors } from '../../core/ports/index.ts';
import { linuxGeneration } from './announcements/generation.ts';
import { linuxHotplug } from './announcements/hotplug.ts';
import { Uevents } from './announcements/uevents.ts';
import { linuxClock } from './facts/clock.ts';
import { type BlockAddon, linuxFacts } from './facts/facts.ts';
import { linuxFileSystem } from './files/file-system.ts';
import type { LinuxFreezingOptions } from './freeze/freezing.ts';
import { type NativeAddon, nativeAddon } from './native.ts';
import { linuxNetwork } from './facts/network.ts';
import { kernelPower } from './power/kernel-power.ts';
import { linuxPower } from './power/power.ts';
import { linuxProcesses } from './programs/processes.ts';
import type { GroupsAddon } from './accounts/groups.ts';
import type { AccountsAddon } from './accounts/ssh-keys.ts';

export interface LinuxBackendOptions {
  /**
   * What stands before /proc, /sys, /dev, /etc, /run and /sbin: another tree, for tests. Files that the host names are
   * always those of the running system.
   */
  readonly root?: string;
  /** What outlives the agent. */
  readonly kept?: KeptDescriptors;
  readonly freezing?: Omit<LinuxFreezingOptions, 'root'>;
  /** Programs that run when the guest goes on as another one, and how long each may take, in milliseconds. */
  readonly generation?: { readonly directory: string; readonly timeLimitMs: number };
}

/** The operating system Linux. @throws failed error where the native addon is missing */
export function linuxBackend(options: LinuxBackendOptions = {}): Backend {
  const root = (options.root ?? '/').replace(/\/+$/, '');
  const { usage, disks, diskStatistics, ...facts } = linuxFacts(root, nativeAddon() as NativeAddon & BlockAddon & AccountsAddon & GroupsAddon);
  const uevents = new Uevents(options.kept);
  return {
    clock: linuxClock({ root }),
    fileSystem: linuxFileSystem({ usage, disks, diskStatistics }, { ...options.freezing, root }, options.kept),
    // Never on behalf of another tree.
    power: linuxPower({ root, ...(root === '' ? { kernel: kernelPower() } : {}) }),
    network: linuxNetwork(root),
    processes: linuxProcesses(options.kept),
    generation: linuxGeneration({ directory: '', timeLimitMs: 0, ...options.generation, uevents, kept: options.kept }),
    hotplug: linuxHotplug(uevents),
    ...facts,
    // Loaded when somebody asks, which an agent that serves never does.
    diagnosis: {
      examine: async () => (await import('./diagnosis.ts')).linuxDiagnosis(root).examine(),
      trials: () => [{ subject: 'freeze and thaw', run: async () => (await import('./diagnosis.ts')).loopDeviceTrial() }],
    },
  };
}
