// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { linuxDiskStatistics, parseDiskStatistics } from '../../../adapters/linux/block/disk-statistics.ts';
import { parseNvmeSmart } from '../../../adapters/linux/block/nvme-smart.ts';
import { parseLoad, parseProcessorStatistics } from '../../../adapters/linux/facts/processor-statistics.ts';
import { layOut } from '../../fixtures/machines/load.ts';

describe('/proc/diskstats', () => {
  it('of a current kernel has all counters', () => {
    const [vda] = parseDiskStatistics(' 254       0 vda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 18446744073709551615\n');

    expect(vda).toEqual({
      name: 'vda', major: 254, minor: 0,
      counters: {
        readIos: 1n, readMerges: 2n, readSectors: 3n, readTicks: 4n, writeIos: 5n, writeMerges: 6n, writeSectors: 7n, writeTicks: 8n,
        iosInProgress: 9n, totalTicks: 10n, weightTicks: 11n, discardIos: 12n, discardMerges: 13n, discardSectors: 14n, discardTicks: 15n,
        flushIos: 16n, flushTicks: 18_446_744_073_709_551_615n,
      },
    });
  });

  it.each([[4, 4], [5, 0], [10, 0], [11, 11], [14, 11], [15, 15], [16, 15], [17, 17], [20, 17]])(
    'with %i numbers yields %i counters', (given, kept) => {
      const [entry] = parseDiskStatistics(`8 0 sda ${Array.from({ length: given }, (_, i) => i).join(' ')}`);

      expect(Object.keys(entry?.counters ?? {})).toHaveLength(kept);
    });

  it('of a very old kernel has four counters of a partition', () => {
    const [entry] = parseDiskStatistics('   3    1 hda1 35486 38030 38030 38030');

    expect(entry?.counters).toEqual({ readIos: 35_486n, readSectors: 38_030n, writeIos: 38_030n, writeSectors: 38_030n });
  });

  it('keeps the order of the file and passes over what is no line of it', () => {
    const list = parseDiskStatistics('8 1 sda1 1 2 3 4\n\ngarbage\n8 x sdx 1 2 3 4\n8 2 short 1 2 3\n7 0 loop0 0 0 0 0 0 0 0 0 0 0 0\n');

    expect(list.map((entry) => entry.name)).toEqual(['sda1', 'loop0']);
  });

  it('that is missing is named in the error', async () => {
    using guest = layOut('/proc/');

    await expect(linuxDiskStatistics(guest.root).list()).rejects.toThrow("Could not open '/proc/diskstats': No such file or directory");
  });
});

describe('/proc/stat', () => {
  it('has a line per processor, in milliseconds; the sum of all is left out', () => {
    const list = parseProcessorStatistics('cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu12 1 1 1 1 1 1 1 1 1 1\nintr 5\n');

    expect(list).toHaveLength(2);
    expect(list[0]).toEqual({
      cpu: 0, user: 10n, nice: 20n, system: 30n, idle: 40n, iowait: 50n, irq: 60n, softirq: 70n, steal: 80n, guest: 90n, guestNice: 100n,
    });
    expect(list[1]?.cpu).toBe(12);
  });

  it('of an old kernel lacks the newer counters', () => {
    expect(parseProcessorStatistics('cpu0 1 2 3 4\n')).toEqual([{ cpu: 0, user: 10n, nice: 20n, system: 30n, idle: 40n }]);
  });

  it('ends at a line with too few numbers', () => {
    expect(parseProcessorStatistics('cpu0 1 2 3 4\ncpu1 1 2\ncpu2 1 2 3 4\n').map((entry) => entry.cpu)).toEqual([0]);
  });
});

describe('/proc/loadavg', () => {
  it('has three averages', () => {
    expect(parseLoad('1.79 2.10 2.29 1/80 11206\n')).toEqual([1.79, 2.1, 2.29]);
  });

  it('in another form is an error and no number', () => {
    expect(() => parseLoad('none')).toThrow('cannot query load average: /proc/loadavg is not in its form');
  });
});

describe('a SMART log of NVMe', () => {
  it('has its 128-bit counters whole', () => {
    const page = new Uint8Array(512);
    page.set([1, 0x36, 0x01, 100, 5, 255]);
    for (let counter = 0; counter < 10; counter++) {
      page[32 + 16 * counter] = counter + 1;
      page[32 + 16 * counter + 15] = counter === 0 ? 0xff : 0;
    }

    expect(parseNvmeSmart(page)).toEqual({
      criticalWarning: 1, temperature: 310, availableSpare: 100, availableSpareThreshold: 5, percentageUsed: 255,
      dataUnitsRead: (0xffn << 120n) | 1n, dataUnitsWritten: 2n, hostReadCommands: 3n, hostWriteCommands: 4n, controllerBusyTime: 5n,
      powerCycles: 6n, powerOnHours: 7n, unsafeShutdowns: 8n, mediaErrors: 9n, numberOfErrorLogEntries: 10n,
    });
  });

  it('that is cut is none', () => {
    expect(parseNvmeSmart(new Uint8Array(511))).toBeUndefined();
  });
});
