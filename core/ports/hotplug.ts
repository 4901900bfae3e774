// SPDX-License-Identifier: Apache-2.0
/** Processors and memory that are added while the system runs. */
export interface Hotplug {
  /**
   * Calls back for each that is added from now on, once. It need not be on line then. Costs nothing while nothing is added, and
   * keeps no process alive.
   *
   * @throws failed or os error where this system cannot hear it
   */
  watch(listener: (added: AddedHardware) => void): Promise<HotplugWatch>;
}

/** By the names that `processors.online` and `memory.blocks` have for them. */
export type AddedHardware =
  | { readonly kind: 'processor'; readonly logicalId: bigint }
  | { readonly kind: 'memory'; readonly physIndex: bigint };

export interface HotplugWatch {
  /** Nothing is called back any more. Idempotent. */
  stop(): void;
}
