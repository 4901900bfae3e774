// SPDX-License-Identifier: Apache-2.0
import { readFile as readFromDisk } from 'node:fs/promises';
import { hostname } from 'node:os';

import { describe, expect, it, vi } from 'vitest';

import { linuxHost } from '../../../adapters/linux/facts/host.ts';
import { parseOsRelease } from '../../../adapters/linux/facts/os-release.ts';
import type { Host } from '../../../core/ports/index.ts';
import { layOut, type Machine } from '../../fixtures/machines/load.ts';

const hostOf = (guest: Machine, environment: Record<string, string> = {}): Required<Pick<Host, 'hostName' | 'timeZone' | 'osInformation'>> =>
  linuxHost({ root: guest.root, environment, readFile: (path) => readFromDisk(path), readStart, now: () => 0 }) as ReturnType<typeof hostOf>;

const readStart = async (path: string, limit: number): Promise<Uint8Array> => (await readFromDisk(path)).subarray(0, limit);

const kernel = '/proc/sys/kernel/osrelease = 6.12.1\n/proc/sys/kernel/version = #1 SMP\n/proc/sys/kernel/arch = aarch64';
const uname = { kernelRelease: '6.12.1', kernelVersion: '#1 SMP', machine: 'aarch64' };

describe('os-release', () => {
  const value = (text: string): string | undefined => parseOsRelease(`KEY=${text}\n`).get('KEY');

  it.each([
    ['debian', 'debian'], ['"Debian GNU/Linux"', 'Debian GNU/Linux'], ["'Single quotes'", 'Single quotes'], ['""', ''], ['', ''],
    ['"a \\"quoted\\" \\$HOME \\\\ \\` \\n"', 'a "quoted" $HOME \\ ` \\n'], ["'no \\$escape'", 'no \\$escape'], ['bare\\ blank', 'bare blank'],
    ['first second', 'first'], ['one;two', 'one'], ['debian # a comment', 'debian'], [`"put"'to'gether`, 'puttogether'], ['"unterminated', 'unterminated'],
    ["'unterminated", 'unterminated'], ['"ends in \\', 'ends in \\'], ['"ünïcode – dash"', 'ünïcode – dash'], ['12', '12'],
  ])('has the value of a shell word: %s', (text, expected) => {
    expect(value(text)).toBe(expected);
  });

  it('passes over comments, blank lines and what is no assignment, and keeps the last of equal keys', () => {
    const values = parseOsRelease('# ID=comment\n\nexport ID=exported\nlone\nID=first\r\nID=last\n = x\n9KEY=x\n  NAME = "spaced out"  \n');

    expect([...values]).toEqual([['ID', 'last'], ['NAME', 'spaced out']]);
  });
});

describe('what the guest says of its system', () => {
  it('is the kernel and the distribution', async () => {
    using guest = layOut([kernel, '/etc/os-release <<', '  PRETTY_NAME="Fedora Linux 41 (Server)"', '  NAME="Fedora Linux"', '  VERSION="41 (Server)"',
      '  ID=fedora', '  VERSION_ID=41', '  VARIANT=Server', '  VARIANT_ID=server', '  HOME_URL="https://example.org/"'].join('\n'));

    expect(await hostOf(guest).osInformation.get()).toEqual({
      ...uname, id: 'fedora', name: 'Fedora Linux', prettyName: 'Fedora Linux 41 (Server)', version: '41 (Server)', versionId: '41', variant: 'Server', variantId: 'server',
    });
  });

  it('lacks what the distribution does not say', async () => {
    using guest = layOut(`${kernel}\n/etc/os-release = ID=arch`);

    expect(await hostOf(guest).osInformation.get()).toEqual({ ...uname, id: 'arch' });
  });

  it('comes from /usr/lib where /etc has no file, and from neither where there is none', async () => {
    using vendor = layOut(`${kernel}\n/usr/lib/os-release = ID=vendor`);
    using bare = layOut(kernel);

    expect(await hostOf(vendor).osInformation.get()).toEqual({ ...uname, id: 'vendor' });
    expect(await hostOf(bare).osInformation.get()).toEqual(uname);
  });

  it.each([
    ['is longer than 64 KiB', `ID=first\nNAME="First"\n${'#'.repeat(70_000)}\nVERSION_ID=1\n`, { id: 'first', name: 'First' }],
    ['has a line that the limit cuts', `ID=first\n${'#'.repeat(65_510)}\nNAME="Cut somewhere"\n`, { id: 'first' }],
    ['has exactly 64 KiB', `ID=first\n${'#'.repeat(65_514)}\nNAME="Fits"\n`, { id: 'first', name: 'Fits' }],
  ])('comes from the beginning of a file that %s, and from no other file', async (_how, text, distribution) => {
    using guest = layOut(`${kernel}\n/etc/os-release = ID=short\n/usr/lib/os-release = ID=vendor`);
    const host = linuxHost({ root: guest.root, environment: {}, readFile: readStart, readStart: async (path, limit) => Buffer.from(path.endsWith('/etc/os-release') ? text : 'ID=vendor').subarray(0, limit) });

    expect(await host.osInformation?.get()).toEqual({ ...uname, ...distribution });
  });

  it('follows QGA_OS_RELEASE', async () => {
    using guest = layOut(`${kernel}\n/etc/os-release = ID=wrong\n/opt/release = ID=named`);

    expect(await hostOf(guest, { QGA_OS_RELEASE: '/opt/release' }).osInformation.get()).toEqual({ ...uname, id: 'named' });
  });

  it('is valid text although a file is not UTF-8', async () => {
    using guest = layOut(kernel);
    const host = linuxHost({ root: guest.root, environment: {}, readFile: readStart, readStart: async () => Buffer.from([...Buffer.from('NAME="caf'), 0xe9, 0x22]) });

    expect(await host.osInformation?.get()).toMatchObject({ name: 'caf\uFFFD' });
  });
});

describe('the host name', () => {
  it('is what the kernel has, asked afresh', async () => {
    using guest = layOut('/proc/sys/kernel/hostname = guest-7.example');

    expect(await hostOf(guest).hostName.get()).toBe('guest-7.example');
  });

  it('is found without /proc too', async () => {
    using guest = layOut('/proc/');

    expect(await hostOf(guest).hostName.get()).toBe(hostname());
  });
});

describe('the time zone', () => {
  it('is asked for now', async () => {
    using guest = layOut('/etc/');

    expect(await hostOf(guest, { TZ: 'CET-1CEST,M3.5.0,M10.5.0/3' }).timeZone.get()).toEqual({ offset: 3600, zone: 'CET' });
  });

  it('reads the file of its time zone once, and again when it is another one', async () => {
    let version = 'first';
    const readFile = vi.fn(async () => Buffer.from('no zone'));
    const host = linuxHost({ root: '', environment: {}, readFile, readStart, now: () => 0, stamp: () => [version, 0] });

    await host.timeZone?.get();
    await host.timeZone?.get();
    version = 'second';
    await host.timeZone?.get();

    expect(readFile.mock.calls).toEqual([['/etc/localtime', 262_144], ['/etc/localtime', 262_144]]);
  });
});
