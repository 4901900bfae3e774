// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import type { Ready } from '../../../core/ports/index.ts';
import { parsePosixTimeZone, posixTimeAt, type LocalTime } from '../../../adapters/linux/facts/posix-time-zone.ts';
import { localTimeAt, type TimeZoneSources } from '../../../adapters/linux/facts/time-zone.ts';
import { tzifTimeAt } from '../../../adapters/linux/facts/tzif.ts';

const seconds = (iso: string): number => Date.parse(iso) / 1000;
const byRule = (rule: string, iso: string): LocalTime | undefined => {
  const zone = parsePosixTimeZone(rule);
  return zone === undefined ? undefined : posixTimeAt(zone, seconds(iso));
};

interface Zone { readonly times: readonly (readonly [iso: string, type: number])[]; readonly types: readonly LocalTime[]; readonly footer?: string }

/** A TZif file of version 2 (with an empty block of version 1 in front), or of version 1. */
function tzif({ times, types, footer = '' }: Zone, version: '\0' | '2' = '2'): Buffer {
  const names = types.map((type) => `${type.zone}\0`).join('');
  const header = (counts: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(44);
    bytes.write(`TZif${version}`, 'latin1');
    for (const [index, count] of counts.entries()) bytes.writeUInt32BE(count, 20 + 4 * index);
    return bytes;
  };
  const width = version === '2' ? 8 : 4;
  const changes = Buffer.alloc(times.length * width);
  for (const [index, [iso]] of times.entries()) {
    if (width === 8) changes.writeBigInt64BE(BigInt(seconds(iso)), index * 8);
    else changes.writeInt32BE(seconds(iso), index * 4);
  }
  const infos = types.map((type, index) => {
    const bytes = Buffer.alloc(6);
    bytes.writeInt32BE(type.offset);
    bytes[5] = Buffer.byteLength(types.slice(0, index).map((each) => `${each.zone}\0`).join(''));
    return bytes;
  });
  const block = Buffer.concat([
    header([0, 0, 0, times.length, types.length, names.length]), changes, Buffer.from(times.map(([, type]) => type)), ...infos, Buffer.from(names),
  ]);
  return version === '2' ? Buffer.concat([header([0, 0, 0, 0, 0, 0]), block, Buffer.from(`\n${footer}\n`)]) : block;
}

const winter: LocalTime = { offset: 3600, zone: 'CET' };
const summer: LocalTime = { offset: 7200, zone: 'CEST' };
const berlin: Zone = {
  types: [{ offset: 3208, zone: 'LMT' }, winter, summer],
  times: [['1893-03-31T23:06:32Z', 1], ['2020-03-29T01:00:00Z', 2], ['2020-10-25T01:00:00Z', 1]],
};

describe('a POSIX time zone rule', () => {
  it('may have no summer time', () => {
    expect(byRule('UTC0', '2024-07-01T00:00:00Z')).toEqual({ offset: 0, zone: 'UTC' });
    expect(byRule('<+0330>-3:30', '2024-07-01T00:00:00Z')).toEqual({ offset: 12_600, zone: '+0330' });
    expect(byRule('EST5', '2024-07-01T00:00:00Z')).toEqual({ offset: -18_000, zone: 'EST' });
  });

  it.each([
    ['2024-03-31T00:59:59Z', winter], ['2024-03-31T01:00:00Z', summer], ['2024-10-27T00:59:59Z', summer], ['2024-10-27T01:00:00Z', winter],
    ['2024-01-01T00:00:00Z', winter], ['2024-12-31T23:59:59Z', winter],
  ])('changes to the second in Central Europe: %s', (iso, expected) => {
    expect(byRule('CET-1CEST,M3.5.0,M10.5.0/3', iso)).toEqual(expected);
  });

  it.each([
    ['2024-01-15T00:00:00Z', 'AEDT'], ['2024-04-06T15:59:59Z', 'AEDT'], ['2024-04-06T16:00:00Z', 'AEST'], ['2024-10-05T15:59:59Z', 'AEST'],
    ['2024-10-05T16:00:00Z', 'AEDT'], ['2023-12-31T13:30:00Z', 'AEDT'],
  ])('has its summer around the turn of the year in the south: %s', (iso, zone) => {
    expect(byRule('AEST-10AEDT,M10.1.0,M4.1.0/3', iso)?.zone).toBe(zone);
  });

  it('may have a winter time that goes back, as in Ireland', () => {
    expect(byRule('IST-1GMT0,M10.5.0,M3.5.0/1', '2024-01-15T00:00:00Z')).toEqual({ offset: 0, zone: 'GMT' });
    expect(byRule('IST-1GMT0,M10.5.0,M3.5.0/1', '2024-07-15T00:00:00Z')).toEqual({ offset: 3600, zone: 'IST' });
  });

  it('may change at negative hours or on numbered days', () => {
    expect(byRule('<-02>2<-01>,M3.5.0/-1,M10.5.0/0', '2024-03-31T01:00:00Z')?.zone).toBe('-01');
    expect(byRule('<-02>2<-01>,M3.5.0/-1,M10.5.0/0', '2024-03-31T00:59:59Z')?.zone).toBe('-02');
    expect(byRule('AAA0BBB,J60/0,J300/0', '2024-03-01T00:00:00Z')?.zone).toBe('BBB');
    expect(byRule('AAA0BBB,J60/0,J300/0', '2024-02-29T23:59:59Z')?.zone).toBe('AAA');
    expect(byRule('AAA0BBB,59/0,300/0', '2024-02-29T00:00:00Z')?.zone).toBe('BBB');
  });

  it('without dates takes those of the United States', () => {
    expect(byRule('EST5EDT', '2024-07-01T00:00:00Z')).toEqual({ offset: -14_400, zone: 'EDT' });
    expect(byRule('EST5EDT', '2024-12-01T00:00:00Z')?.zone).toBe('EST');
  });

  it.each(['', 'X', 'CET', '5', 'CET-1CEST,M3.5.0', 'CET-1CEST,M13.5.0,M10.5.0', 'CET-1CEST,M3.5.0,M10.5.0,x', 'CET-1CEST;M3.5.0,M10.5.0', 'CET-1CEST,M3.5.0/x,M10.5.0', 'Europe/Berlin'])(
    'is not: %j', (text) => {
      expect(parsePosixTimeZone(text)).toBeUndefined();
    });
});

describe('a compiled time zone', () => {
  it.each([['1800-01-01T00:00:00Z', 'LMT'], ['1900-01-01T00:00:00Z', 'CET'], ['2020-07-01T00:00:00Z', 'CEST'], ['2025-07-01T00:00:00Z', 'CET']])(
    'knows what was in force: %s', (iso, zone) => {
      expect(tzifTimeAt(tzif(berlin), seconds(iso))?.zone).toBe(zone);
    });

  it('goes on by its rule after the last change', () => {
    const file = tzif({ ...berlin, footer: 'CET-1CEST,M3.5.0,M10.5.0/3' });

    expect(tzifTimeAt(file, seconds('2060-07-01T00:00:00Z'))).toEqual(summer);
    expect(tzifTimeAt(file, seconds('2020-07-01T00:00:00Z'))).toEqual(summer);
  });

  it('may be of version 1', () => {
    const file = tzif({ ...berlin, times: berlin.times.slice(1) }, '\0');

    expect(tzifTimeAt(file, seconds('2020-07-01T00:00:00Z'))).toEqual(summer);
  });

  it('may have no change at all', () => {
    expect(tzifTimeAt(tzif({ times: [], types: [winter] }), 0)).toEqual(winter);
  });

  it('that is damaged is none, wherever it is cut', () => {
    const file = tzif(berlin);

    const answers = Array.from({ length: file.length - 2 }, (_, length) => tzifTimeAt(file.subarray(0, length), seconds('2020-07-01T00:00:00Z')));

    expect(answers.filter((answer) => answer !== undefined && answer.zone !== 'CEST')).toEqual([]);
    expect(tzifTimeAt(Buffer.from('[Unit]\nDescription=something else, and long enough to be one'), 0)).toBeUndefined();
  });

  it.skipIf(!existsSync('/usr/share/zoneinfo/Europe/Berlin'))('of the system gives what JavaScript has for it (needs tzdata)', () => {
    const zones = ['Europe/Berlin', 'America/New_York', 'Australia/Sydney', 'Asia/Kolkata', 'America/St_Johns', 'Europe/Dublin', 'UTC', 'Pacific/Chatham', 'America/Nuuk'];
    const moments = ['1975-07-01T12:00:00Z', '1999-12-31T23:59:59Z', '2010-03-28T01:00:00Z', '2024-07-01T00:00:00Z', '2024-11-03T05:59:59Z', '2035-01-15T00:00:00Z', '2035-08-15T00:00:00Z'].map(seconds);
    const offsetIn = (zone: string, at: number): number => {
      const name = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' }).formatToParts(at * 1000).find((part) => part.type === 'timeZoneName')?.value ?? '';
      const [, sign = '+', hours = '0', minutes = '0'] = /GMT([+-])(\d+):(\d+)/.exec(name) ?? [];
      return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60) || 0;
    };

    const ours = zones.map((zone) => moments.map((at) => tzifTimeAt(readFileSync(`/usr/share/zoneinfo/${zone}`), at)?.offset));

    expect(ours).toEqual(zones.map((zone) => moments.map((at) => offsetIn(zone, at))));
  });
});

describe('the local time zone', () => {
  const files = new Map([
    ['/etc/localtime', tzif(berlin)], ['/usr/share/zoneinfo/Asia/Kolkata', tzif({ times: [], types: [{ offset: 19_800, zone: 'IST' }] })],
    ['/opt/zones/Here', tzif({ times: [], types: [{ offset: 60, zone: 'HERE' }] })], ['/usr/share/zoneinfo/Broken', Buffer.from('nonsense')],
  ]);
  const readFile: TimeZoneSources['readFile'] = async (path) => files.get(path) ?? Promise.reject(new Error('ENOENT'));
  const zoneWith = (environment: Record<string, string>, read = readFile): Ready<LocalTime> =>
    localTimeAt({ root: '', environment, readFile: read }, seconds('2020-07-01T00:00:00Z'));

  it('is that of /etc/localtime', async () => {
    expect(await zoneWith({})).toEqual(summer);
  });

  it('is UTC where there is none', async () => {
    expect(await zoneWith({}, async () => Promise.reject(new Error('ENOENT')))).toEqual({ offset: 0, zone: 'UTC' });
  });

  it.each([
    ['Asia/Kolkata', 'IST'], [':Asia/Kolkata', 'IST'], ['/opt/zones/Here', 'HERE'], ['EST5EDT', 'EDT'], ['', 'UTC'], ['Nowhere/Atall', 'UTC'], ['Broken', 'UTC'],
  ])('follows TZ=%s', async (TZ, zone) => {
    expect((await zoneWith({ TZ })).zone).toBe(zone);
  });

  it('looks for names in TZDIR', async () => {
    expect((await zoneWith({ TZ: 'Here', TZDIR: '/opt/zones' })).zone).toBe('HERE');
  });
});
