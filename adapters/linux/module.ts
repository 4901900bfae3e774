import type { Backend } from '../../core/ports/index.ts';
import { linuxClock } from './clock.ts';
import { type BlockAddon, linuxFacts } from './facts.ts';
import { linuxFileSystem } from './file-system.ts';
import type { LinuxFreezingOptions } from './freezing.ts';
import { type NativeAddon, nativeAddon } from './native.ts';
import { linuxNetwork } from './network.ts';
import { linuxPower } from './power.ts';
import { processes } from './processes.ts';
import type { AccountsAddon } from './ssh-keys.ts';

export interface LinuxBackendOptions {
  /**
   * What stands before /proc, /sys, /dev, /etc, /run and /sbin: another tree, for tests. Files that the host names are
   * always those of the running system.
   */
  readonly root?: string;
  readonly freezing?: Omit<LinuxFreezingOptions, 'root'>;
}

/** The operating system Linux. @throws failed error where the native addon is missing */
export function linuxBackend(options: LinuxBackendOptions = {}): Backend {
  const root = (options.root ?? '/').replace(/\/+$/, '');
  const { usage, disks, diskStatistics, ...facts } = linuxFacts(root, nativeAddon() as NativeAddon & BlockAddon & AccountsAddon);
  return {
    clock: linuxClock({ root }),
    fileSystem: linuxFileSystem({ usage, disks, diskStatistics }, { ...options.freezing, root }),
    power: linuxPower({ root }),
    network: linuxNetwork(root),
    processes,
    ...facts,
    // Loaded when somebody asks, which an agent that serves never does.
    diagnosis: { examine: async () => (await import('./diagnosis.ts')).linuxDiagnosis(root).examine() },
  };
}
