// SPDX-License-Identifier: Apache-2.0
import type { Processes } from '../../../core/ports/processes.ts';
import type { KernelPower } from './kernel-power.ts';

/** Where power management looks and what it runs programs with. `root` stands before /sbin and /sys. */
export interface PowerSystem {
  readonly root: string;
  readonly processes: Processes;
  /** Directories to search programs in, beside the standard ones. */
  readonly path: readonly string[];
  /** What ends the machine where no program for it is there; absent: nothing does. */
  readonly kernel?: KernelPower;
}
