// SPDX-License-Identifier: Apache-2.0
import type { AddedHardware, Hotplug } from '../../../core/ports/hotplug.ts';
import type { Uevent, Uevents } from './uevents.ts';

/** Processors and memory blocks that the kernel adds: `ACTION=add` of `/devices/system/cpu/cpu3` or `/devices/system/memory/memory9`. */
export const linuxHotplug = (uevents: Pick<Uevents, 'listen'>): Hotplug => ({
  async watch(listener) {
    const stop = uevents.listen((event) => {
      const added = addedBy(event);
      if (added !== undefined) listener(added);
    });
    return { stop };
  },
});

function addedBy(event: Uevent): AddedHardware | undefined {
  if (event.get('ACTION') !== 'add') return undefined;
  const [, kind, number] = /^\/devices\/system\/(cpu\/cpu|memory\/memory)(\d{1,18})$/.exec(event.get('DEVPATH') ?? '') ?? [];
  if (kind === undefined || number === undefined) return undefined;
  return kind === 'cpu/cpu' ? { kind: 'processor', logicalId: BigInt(number) } : { kind: 'memory', physIndex: BigInt(number) };
}
