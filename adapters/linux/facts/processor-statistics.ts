// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import type { ProcessorStatistics } from '../../../core/ports/index.ts';

/** Ticks of /proc/stat are of this length on every architecture that Linux shows to programs (USER_HZ is 100). */
const millisecondsPerTick = 10n;

/**
 * proc_stat(5): `cpu0 user nice system idle iowait irq softirq steal guest guest_nice`, of which older kernels have
 * fewer. The line of all processors (`cpu`) is left out; a line with fewer than four numbers ends the list (qemu-ga 11.1).
 */
export function parseProcessorStatistics(text: string): ProcessorStatistics[] {
  const list: ProcessorStatistics[] = [];
  for (const line of text.split('\n')) {
    const match = /^cpu(\d+)\s+(.*)$/.exec(line);
    if (match === null) continue;
    const words = (match[2] ?? '').trim().split(/\s+/);
    const end = words.findIndex((word) => !/^\d+$/.test(word));
    const times = (end < 0 ? words : words.slice(0, end)).map((word) => BigInt(word) * millisecondsPerTick);
    const [user, nice, system, idle, iowait, irq, softirq, steal, guest, guestNice] = times;
    if (user === undefined || nice === undefined || system === undefined || idle === undefined) break;
    list.push({
      cpu: Number(match[1]),
      user,
      nice,
      system,
      idle,
      ...(iowait !== undefined && { iowait }),
      ...(irq !== undefined && { irq }),
      ...(softirq !== undefined && { softirq }),
      ...(steal !== undefined && { steal }),
      ...(guest !== undefined && { guest }),
      ...(guestNice !== undefined && { guestNice }),
    });
  }
  return list;
}

/** proc_loadavg(5): `0.20 0.18 0.12 1/80 11206`. @throws failed error for anything else */
export function parseLoad(text: string): readonly [number, number, number] {
  const match = /^(\d+\.\d+) (\d+\.\d+) (\d+\.\d+)/.exec(text);
  if (match === null) throw AgentError.failed('cannot query load average: /proc/loadavg is not in its form');
  return [Number(match[1]), Number(match[2]), Number(match[3])];
}
