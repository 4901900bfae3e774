// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readlinkSync, realpathSync } from 'node:fs';
import { processName } from './process-name.ts';

/**
 * Who has the device open, as far as this process may see: `process 812 (qemu-ga)`, or `undefined`.
 * Reads links in /proc only, never the devices behind them.
 */
export function deviceHolder(path: string, proc = '/proc'): string | undefined {
  const node = nodeOf(path);
  for (const pid of entries(proc)) {
    if (!/^[0-9]+$/.test(pid)) continue;
    const holds = entries(`${proc}/${pid}/fd`).some((fd) => target(`${proc}/${pid}/fd/${fd}`) === node);
    if (holds) return processName(Number(pid));
  }
  return undefined;
}

/** /dev/virtio-ports/NAME is a link that udev made; /proc shows the node itself. */
function nodeOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Processes come and go while they are looked at, and those of others are closed to us. */
function entries(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function target(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}
