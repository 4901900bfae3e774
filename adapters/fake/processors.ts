// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';
import type { LogicalProcessor, Processors, ProcessorStatistics } from '../../core/ports/index.ts';
import { milliseconds, type FakeClock } from './clock.ts';

/** The virtual processors of the fake. */
export class FakeProcessors {
  /** Averages over 1, 5 and 15 minutes. */
  load: readonly [number, number, number];
  /** Instead of made-up counters. */
  statistics: readonly ProcessorStatistics[] | undefined;
  readonly #processors = new Map<bigint, LogicalProcessor>();
  readonly #clock: FakeClock;

  constructor(processors: readonly LogicalProcessor[], load: readonly [number, number, number], clock: FakeClock) {
    for (const processor of processors) this.#processors.set(BigInt(processor.logicalId), processor);
    this.load = load;
    this.#clock = clock;
  }

  get list(): readonly LogicalProcessor[] {
    return [...this.#processors.values()].toSorted((one, other) => one.logicalId - other.logicalId);
  }

  /** Another one. */
  add(processor: LogicalProcessor): void {
    this.#processors.set(BigInt(processor.logicalId), processor);
  }

  port(): Required<Processors> {
    return {
      online: {
        list: async () => this.list,
        switching: { set: async (logicalId, online) => this.#set(logicalId, online) },
      },
      statistics: { list: async () => this.statistics ?? this.#counters() },
      load: { average: async () => this.load },
    };
  }

  #set(logicalId: bigint, online: boolean): void {
    const processor = this.#processors.get(logicalId);
    if (processor === undefined) throw AgentError.failed(`Could not open '/sys/devices/system/cpu/cpu${logicalId}/': No such file or directory`);
    if (processor.online === online) return;
    if (!processor.canOffline) throw AgentError.failed(`logical processor #${logicalId} can't be offlined`);
    this.#processors.set(logicalId, { ...processor, online });
  }

  /** A machine that is idle nine tenths of its time. */
  #counters(): readonly ProcessorStatistics[] {
    const total = BigInt(milliseconds(this.#clock.monotonic())) + 60_000n;
    const share = total / 20n;
    return this.list
      .filter(({ online }) => online)
      .map(({ logicalId }) => ({
        cpu: logicalId, user: share, nice: 0n, system: share, idle: total - share - share,
        iowait: 0n, irq: 0n, softirq: 0n, steal: 0n, guest: 0n, guestNice: 0n,
      }));
  }
}
