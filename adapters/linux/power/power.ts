import type { Power } from '../../../core/ports/power.ts';
import type { Processes } from '../../../core/ports/processes.ts';
import { processes as systemProcesses } from '../programs/processes.ts';
import type { KernelPower } from './kernel-power.ts';
import { shutDown } from './shutdown.ts';
import { suspend } from './suspend.ts';

/** Where power management looks and what it runs programs with. `root` stands before /sbin and /sys. */
export interface PowerSystem {
  readonly root: string;
  readonly processes: Processes;
  /** Directories to search programs in, beside the standard ones. */
  readonly path: readonly string[];
  /** What ends the machine where no program for it is there; absent: nothing does. */
  readonly kernel?: KernelPower;
}

/** Turning this machine off and putting it to sleep, with the system's own programs. */
export function linuxPower({ root = '', processes = systemProcesses, path = searchPath(), kernel }: Partial<PowerSystem> = {}): Power {
  const system = { root, processes, path, ...(kernel === undefined ? {} : { kernel }) };
  return {
    shutdown: { shutdown: (mode) => shutDown(mode, system) },
    suspend: { modes: new Set(['disk', 'ram', 'hybrid']), suspend: (mode) => suspend(mode, system) },
  };
}

const searchPath = (): readonly string[] => (process.env['PATH'] ?? '').split(':');
