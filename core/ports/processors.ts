// SPDX-License-Identifier: Apache-2.0
import type { Ready } from './file-system.ts';

/** Virtual processors. */
export interface Processors {
  readonly online?: {
    /** Every logical processor, by id. */
    list(): Ready<readonly LogicalProcessor[]>;
    /** Absent where processors cannot be switched. */
    readonly switching?: {
      /**
       * Brings a processor up or down; no effect where it is so already.
       * @throws failed error: unknown processor, `logical processor #N can't be offlined`; os error of the switch itself
       */
      set(logicalId: bigint, online: boolean): Promise<void>;
    };
  };
  readonly statistics?: {
    /** One entry per online processor, in the system's order. */
    list(): Ready<readonly ProcessorStatistics[]>;
  };
  readonly load?: {
    /** Averages over 1, 5 and 15 minutes. */
    average(): Ready<readonly [number, number, number]>;
  };
}

export interface LogicalProcessor {
  readonly logicalId: number;
  readonly online: boolean;
  readonly canOffline: boolean;
}

/** Milliseconds since boot; counters that the running kernel does not keep are absent. */
export interface ProcessorStatistics {
  readonly cpu: number;
  readonly user: bigint;
  readonly nice: bigint;
  readonly system: bigint;
  readonly idle: bigint;
  readonly iowait?: bigint;
  readonly irq?: bigint;
  readonly softirq?: bigint;
  readonly steal?: bigint;
  readonly guest?: bigint;
  readonly guestNice?: bigint;
}
