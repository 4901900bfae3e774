// SPDX-License-Identifier: Apache-2.0
import type { Ready } from './file-system.ts';

/** Memory blocks that can be taken off line. */
export interface Memory {
  readonly blocks?: {
    /** By index. Empty where the system has no such notion. @throws failed error when the list cannot be read */
    list(): Promise<readonly MemoryBlock[]>;
    /** Size of one block in bytes. */
    blockSize(): Ready<bigint>;
    readonly switching?: {
      /**
       * Brings a block up or down. Never throws: what went wrong is the answer. `zone`: where a block that comes up is to be one that
       * can be taken away again, on systems that know the difference.
       */
      set(physIndex: bigint, online: boolean, zone?: 'movable'): Promise<MemoryBlockChange>;
    };
  };
}

export interface MemoryBlock {
  readonly physIndex: bigint;
  readonly online: boolean;
  readonly canOffline: boolean;
}

export interface MemoryBlockChange {
  readonly response: 'success' | 'not-found' | 'operation-not-supported' | 'operation-failed';
  /** errno of the failure. */
  readonly errorCode?: number;
}
