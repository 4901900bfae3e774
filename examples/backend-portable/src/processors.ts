// SPDX-License-Identifier: Apache-2.0
import { cpus, loadavg } from 'node:os';
import type { Processors } from 'concierge-ga/kit';

/** Node gives milliseconds since the start, in the order of the processors. */
export const processors: Processors = {
  statistics: {
    list: async () =>
      cpus().map(({ times }, cpu) => ({
        cpu, user: BigInt(times.user), nice: BigInt(times.nice), system: BigInt(times.sys), idle: BigInt(times.idle), irq: BigInt(times.irq),
      })),
  },
  load: {
    average: async () => {
      const [one = 0, five = 0, fifteen = 0] = loadavg();
      return [one, five, fifteen];
    },
  },
};
