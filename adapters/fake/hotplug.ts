// SPDX-License-Identifier: Apache-2.0
import type { AddedHardware, Hotplug, HotplugWatch } from '../../core/ports/index.ts';
import type { FakeMemory } from './memory.ts';
import type { FakeProcessors } from './processors.ts';

/** A hypervisor that adds processors and memory to this guest. */
export class FakeHotplug implements Hotplug {
  readonly #processors: FakeProcessors;
  readonly #memory: FakeMemory;
  readonly #listeners = new Set<(added: AddedHardware) => void>();

  constructor(processors: FakeProcessors, memory: FakeMemory) {
    this.#processors = processors;
    this.#memory = memory;
  }

  async watch(listener: (added: AddedHardware) => void): Promise<HotplugWatch> {
    // Each watch is one of its own, also of the same listener.
    const call = (added: AddedHardware): void => listener(added);
    this.#listeners.add(call);
    return { stop: () => void this.#listeners.delete(call) };
  }

  /** How many listen. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** `online`: as a distribution's own rule leaves it. */
  addProcessor(logicalId: number, online = false): void {
    this.#processors.add({ logicalId, online, canOffline: true });
    this.#tell({ kind: 'processor', logicalId: BigInt(logicalId) });
  }

  addMemory(physIndex: bigint, online = false): void {
    this.#memory.add({ physIndex, online, canOffline: true });
    this.#tell({ kind: 'memory', physIndex });
  }

  #tell(added: AddedHardware): void {
    for (const listener of this.#listeners) listener(added);
  }
}
