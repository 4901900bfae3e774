import type { Power } from '../../../core/ports/power.ts';
import type { Processes } from '../../../core/ports/processes.ts';
import { processes as systemProcesses } from '../programs/processes.ts';
import { shutDown } from './shutdown.ts';
import { suspend } from './suspend.ts';

/** Where power management looks and what it runs programs with. `root` stands before /sbin and /sys. */
export interface PowerSystem {
  readonly root: string;
  readonly processes: Processes;
}

/** Turning this machine off and putting it to sleep, with the system's own programs. */
export function linuxPower({ root = '', processes = systemProcesses }: Partial<PowerSystem> = {}): Power {
  const system = { root, processes };
  return {
    shutdown: { shutdown: (mode) => shutDown(mode, system) },
    suspend: { modes: new Set(['disk', 'ram', 'hybrid']), suspend: (mode) => suspend(mode, system) },
  };
}
