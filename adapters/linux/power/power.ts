// SPDX-License-Identifier: Apache-2.0
import type { Power } from '../../../core/ports/power.ts';
import { processes as systemProcesses } from '../programs/processes.ts';
import type { PowerSystem } from './power-system.ts';
import { shutDown } from './shutdown.ts';
import { suspend } from './suspend.ts';

/** Turning this machine off and putting it to sleep, with the system's own programs. */
export function linuxPower({ root = '', processes = systemProcesses, path = searchPath(), kernel }: Partial<PowerSystem> = {}): Power {
  const system = { root, processes, path, ...(kernel === undefined ? {} : { kernel }) };
  return {
    shutdown: { shutdown: (mode) => shutDown(mode, system) },
    suspend: { modes: new Set(['disk', 'ram', 'hybrid']), suspend: (mode) => suspend(mode, system) },
  };
}

const searchPath = (): readonly string[] => (process.env['PATH'] ?? '').split(':');
