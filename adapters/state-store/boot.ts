// SPDX-License-Identifier: Apache-2.0
import { readFileSync, statfsSync } from 'node:fs';
import { uptime } from 'node:os';

/** What is known of this boot. */
export interface Boot {
  /** `''` where the system has no such thing. */
  readonly id: string;
  /** Milliseconds since 1970, by today's clock. */
  readonly at: number;
}

export function thisBoot(): Boot {
  return { id: bootId(), at: Date.now() - uptime() * 1000 };
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** TMPFS_MAGIC and RAMFS_MAGIC of statfs(2): what lies there is gone after a reboot. */
const volatileTypes: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

export function survivesReboot(directory: string): boolean {
  try {
    return !volatileTypes.has(statfsSync(directory).type);
  } catch {
    return true;
  }
}
