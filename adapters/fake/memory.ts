// SPDX-License-Identifier: Apache-2.0
import { posixNumber } from '../../core/errors/posix-errno.ts';
import type { Memory, MemoryBlock, MemoryBlockChange } from '../../core/ports/index.ts';

export interface MemoryBlockDescription extends MemoryBlock {
  /** The kernel cannot move what lies in it: taking it off line fails with `EBUSY`. */
  readonly pinned?: boolean;
}

export interface MemoryDescription {
  readonly blockSize: bigint;
  readonly blocks: readonly MemoryBlockDescription[];
}

/** The memory blocks of the fake. */
export class FakeMemory {
  readonly blockSize: bigint;
  readonly #blocks = new Map<bigint, MemoryBlockDescription>();

  constructor({ blockSize, blocks }: MemoryDescription) {
    this.blockSize = blockSize;
    for (const block of blocks) this.#blocks.set(block.physIndex, block);
  }

  get list(): readonly MemoryBlock[] {
    return [...this.#blocks.values()].map(({ physIndex, online, canOffline }) => ({ physIndex, online, canOffline }));
  }

  /** Another block. */
  add(block: MemoryBlockDescription): void {
    this.#blocks.set(block.physIndex, block);
  }

  /** In which zone blocks came up that were asked to come up in one. */
  readonly zones = new Map<bigint, string>();

  port(): Required<Memory> {
    return {
      blocks: {
        list: async () => this.list.toSorted((one, other) => (one.physIndex < other.physIndex ? -1 : 1)),
        blockSize: async () => this.blockSize,
        switching: { set: async (physIndex, online, zone) => this.#set(physIndex, online, zone) },
      },
    };
  }

  #set(physIndex: bigint, online: boolean, zone?: string): MemoryBlockChange {
    const block = this.#blocks.get(physIndex);
    if (block === undefined) return { response: 'not-found', errorCode: posixNumber('ENOENT') };
    if (block.online === online) return { response: 'success' };
    if (!online && block.pinned === true) return { response: 'operation-failed', errorCode: posixNumber('EBUSY') };
    if (!online && !block.canOffline) return { response: 'operation-failed', errorCode: posixNumber('EINVAL') };
    this.#blocks.set(physIndex, { ...block, online });
    if (zone !== undefined) this.zones.set(physIndex, zone);
    return { response: 'success' };
  }
}
