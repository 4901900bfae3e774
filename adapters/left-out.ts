// SPDX-License-Identifier: Apache-2.0
import type { Capability } from '../core/ports/capabilities.ts';

/** What each backend of this package leaves out. A test compares it with those that can be loaded. */
export const leftOut = {
  linux: new Set<Capability>(['host.devices', 'host.driverPackages', 'host.driverServices']),
  windows: new Set<Capability>([
    'power.suspend.hybrid', 'processors.online.switching', 'processors.statistics', 'memory.blocks',
    'memory.blocks.switching', 'fileSystem.diskStatistics', 'processes.interactive.terminals',
    'clock.references', 'generation', 'hotplug', 'accounts.groups',
  ]),
  /** As `createFakeMachine()` makes it; it can be described with them. */
  fake: new Set<Capability>(['host.devices', 'host.driverPackages', 'host.driverServices']),
} as const;

export type BackendName = keyof typeof leftOut;
