// SPDX-License-Identifier: Apache-2.0
import type { DiskCounters, DiskStatistics, DiskStatisticsEntry } from '../../../core/ports/index.ts';
import { failedBecause, readText } from '../kernel-files.ts';

/** guest-get-diskstats from /proc/diskstats. @throws failed error `Could not open '/proc/diskstats': STRERROR` */
export function linuxDiskStatistics(root: string): DiskStatistics {
  return {
    list: async () => {
      try {
        return parseDiskStatistics(readText(`${root}/proc/diskstats`));
      } catch (error) {
        throw failedBecause("Could not open '/proc/diskstats'", error);
      }
    },
  };
}

/**
 * Kernel's Documentation/admin-guide/iostats.rst: major, minor, name, then 11 numbers, 15 since Linux 4.18 (discards),
 * 17 since 5.5 (flushes), or 4 for partitions before 2.6.25. Lines in another form are left out; a number of columns
 * between those leaves the counters empty (qemu-ga 11.1).
 */
export function parseDiskStatistics(text: string): DiskStatisticsEntry[] {
  return text.split('\n').flatMap((line) => {
    const [major = '', minor = '', name = '', ...rest] = line.trim().split(/\s+/);
    const numbers = leadingNumbers(rest);
    if (!/^\d+$/.test(major) || !/^\d+$/.test(minor) || numbers.length < 4) return [];
    return [{ name, major: Number(major), minor: Number(minor), counters: countersOf(numbers) }];
  });
}

function leadingNumbers(words: readonly string[]): bigint[] {
  const end = words.findIndex((word) => !/^\d+$/.test(word));
  return (end < 0 ? words : words.slice(0, end)).map(BigInt);
}

type CounterName = keyof DiskCounters;

const partitionColumns = ['readIos', 'readSectors', 'writeIos', 'writeSectors'] as const satisfies CounterName[];
const columns = [
  'readIos', 'readMerges', 'readSectors', 'readTicks', 'writeIos', 'writeMerges', 'writeSectors', 'writeTicks',
  'iosInProgress', 'totalTicks', 'weightTicks',
  'discardIos', 'discardMerges', 'discardSectors', 'discardTicks',
  'flushIos', 'flushTicks',
] as const satisfies CounterName[];

function countersOf(numbers: readonly bigint[]): DiskCounters {
  if (numbers.length === 4) return zip(partitionColumns, numbers);
  const kept = [17, 15, 11].find((count) => numbers.length >= count) ?? 0;
  return zip(columns.slice(0, kept), numbers);
}

const zip = (names: readonly CounterName[], numbers: readonly bigint[]): DiskCounters =>
  Object.fromEntries(names.map((name, index) => [name, numbers[index]]));
