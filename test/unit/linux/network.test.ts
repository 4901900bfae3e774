// SPDX-License-Identifier: Apache-2.0
import { endianness } from 'node:os';
import { assert, property, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ipv6Text } from '../../../adapters/linux/facts/ip-text.ts';
import { linkAddresses, links } from '../../../adapters/linux/facts/netlink.ts';
import { interfacesOf, linuxNetwork } from '../../../adapters/linux/facts/network.ts';
import { parseIpv4Routes, parseIpv6Routes } from '../../../adapters/linux/facts/routes.ts';
import { addressMessage, linkMessage, statistics64 } from './support/netlink-dump.ts';
import { scratchDirectory, tree } from './support/scratch.ts';

const mac = Buffer.from([0x52, 0x54, 0, 0xab, 0xcd, 0xef]);
const v4 = (...bytes: number[]): Buffer => Buffer.from(bytes);
const v6 = (hex: string): Buffer => Buffer.from(hex.padEnd(32, '0'), 'hex');

const interfaces = (linkDump: readonly Buffer[], addressDump: readonly Buffer[] = []) =>
  interfacesOf([...links(Buffer.concat(linkDump))], [...linkAddresses(Buffer.concat(addressDump))]);

describe('interfaces', () => {
  it('have their addresses in the kernel\'s order and counters of 64 bits', () => {
    const counters = [1n, 2n, 2n ** 63n + 3n, 4n, 5n, 6n, 7n, 8n];

    const found = interfaces(
      [linkMessage(2, { 3: 'eth0', 1: mac, 23: statistics64(counters) })],
      [addressMessage(2, 2, 24, { 1: v4(192, 0, 2, 10), 2: v4(192, 0, 2, 10), 3: 'eth0' }), addressMessage(2, 10, 64, { 1: v6('fe80') })],
    );

    expect(found).toEqual([
      {
        name: 'eth0',
        hardwareAddress: '52:54:00:ab:cd:ef',
        addresses: [
          { family: 'ipv4', address: '192.0.2.10', prefix: 24 },
          { family: 'ipv6', address: 'fe80::', prefix: 64 },
        ],
        statistics: {
          rxPackets: 1n, txPackets: 2n, rxBytes: 2n ** 63n + 3n, txBytes: 4n, rxErrors: 5n, txErrors: 6n, rxDropped: 7n, txDropped: 8n,
        },
      },
    ]);
  });

  it('count packets that found no room as dropped, like /proc/net/dev', () => {
    const counters = Array.from({ length: 24 }, () => 0n);
    counters[6] = 5n;
    counters[15] = 30n;

    const [found] = interfaces([linkMessage(2, { 3: 'eth0', 23: statistics64(counters) })]);

    expect(found?.statistics?.rxDropped).toBe(35n);
  });

  it('without an address are there, with their counters', () => {
    const [found] = interfaces([linkMessage(3, { 3: 'dummy0', 1: mac, 23: statistics64([]) })]);

    expect(found).toMatchObject({ name: 'dummy0', addresses: [], statistics: { rxBytes: 0n } });
  });

  it('by a label are of their own, with the hardware address of their link and without counters', () => {
    const found = interfaces(
      [linkMessage(2, { 3: 'eth0', 1: mac, 23: statistics64([]) }), linkMessage(3, { 3: 'eth1', 1: mac })],
      [addressMessage(2, 2, 24, { 2: v4(10, 0, 0, 1), 3: 'eth0' }), addressMessage(2, 2, 32, { 2: v4(10, 0, 0, 2), 3: 'eth0:1' })],
    );

    expect(found.map(({ name }) => name)).toEqual(['eth0', 'eth1', 'eth0:1']);
    expect(found[2]).toEqual({ name: 'eth0:1', hardwareAddress: '52:54:00:ab:cd:ef', addresses: [{ family: 'ipv4', address: '10.0.0.2', prefix: 32 }] });
  });

  it('of a point-to-point link have their own address, not that of the peer', () => {
    const [found] = interfaces([linkMessage(4, { 3: 'ppp0' })], [addressMessage(4, 2, 32, { 1: v4(10, 0, 0, 99), 2: v4(10, 0, 0, 1), 3: 'ppp0' })]);

    expect(found?.addresses).toEqual([{ family: 'ipv4', address: '10.0.0.1', prefix: 32 }]);
  });

  it.each([
    ['twenty bytes are cut to six', Buffer.from('80000208fe800000000000000002c903', 'hex'), '80:00:02:08:fe:80'],
    ['four bytes are filled with zeros', v4(192, 0, 2, 1), 'c0:00:02:01:00:00'],
    ['no byte is six zeros', Buffer.alloc(0), '00:00:00:00:00:00'],
  ])('have a hardware address of six bytes: %s', (_what, bytes, text) => {
    const [found] = interfaces([linkMessage(5, { 3: 'ib0', 1: bytes })]);

    expect(found?.hardwareAddress).toBe(text);
  });

  it('leave out addresses of links that have gone meanwhile, and of other families', () => {
    const found = interfaces(
      [linkMessage(2, { 3: 'eth0' })],
      [addressMessage(9, 2, 24, { 2: v4(10, 0, 0, 1), 3: 'gone0' }), addressMessage(2, 29, 8, { 2: v4(1, 2, 3, 4) })],
    );

    expect(found).toMatchObject([{ name: 'eth0', addresses: [] }]);
  });

  it('are read from any bytes without an exception', () => {
    assert(
      property(uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => [...links(bytes), ...linkAddresses(bytes)]).not.toThrow();
      }),
    );
  });
});

describe('an IPv6 address', () => {
  it.each([
    ['00000000000000000000000000000000', '::'],
    ['00000000000000000000000000000001', '::1'],
    ['fe800000000000000000000000000000', 'fe80::'],
    ['20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
    ['20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
    ['20010db8000100000000000100000000', '2001:db8:1::1:0:0'],
    ['00000000000000000000ffffc0000201', '::ffff:192.0.2.1'],
    ['000000000000000000000000c0000201', '::192.0.2.1'],
    ['ff020000000000000000000000010002', 'ff02::1:2'],
  ])('%s is written as inet_ntop(3) does: %s', (hex, text) => {
    expect(ipv6Text(Buffer.from(hex, 'hex'))).toBe(text);
  });
});

const ipv4Heading = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const ipv6Lines = [
  'fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0',
  '00000000000000000000000000000001 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000000 00000003 00000000 80200001       lo',
  '00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo',
].join('\n');

describe('routes', () => {
  it.skipIf(endianness() !== 'LE')('of IPv4 are read with all their numbers (recorded on a little-endian machine)', () => {
    const text = `${ipv4Heading}eth0\t00000000\t010200C0\t0003\t1\t2\t100\t00000000\t1400\t5\t6      \neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n`;

    expect(parseIpv4Routes(text)).toEqual([
      {
        version: 4, interface: 'eth0', destination: '0.0.0.0', gateway: '192.0.2.1', mask: '0.0.0.0',
        flags: 3, references: 1, use: 2, metric: 100, mtu: 1400, window: 5, irtt: 6,
      },
      {
        version: 4, interface: 'eth0', destination: '192.0.2.0', gateway: '0.0.0.0', mask: '255.255.255.0',
        flags: 1, references: 0, use: 0, metric: 0, mtu: 0, window: 0, irtt: 0,
      },
    ]);
  });

  it('of IPv6 have unsigned flags, and a metric that is signed as in the reference', () => {
    const routes = parseIpv6Routes(ipv6Lines);

    expect(routes[0]).toEqual({
      version: 6, interface: 'eth0', destination: 'fe80::', destinationPrefix: 64, source: '::', sourcePrefix: 0, nextHop: '::',
      metric: 256, references: 1, use: 0, flags: 1,
    });
    expect(routes[1]).toMatchObject({ destination: '::1', destinationPrefix: 128, flags: 0x8020_0001 });
    expect(routes[2]).toMatchObject({ metric: -1, flags: 0x20_0200 });
  });

  it('leave out lines that are not whole', () => {
    expect(parseIpv4Routes(`${ipv4Heading}eth0\t00000000\t010200C0\t0003\nnonsense\n\n`)).toEqual([]);
    expect(parseIpv6Routes('fe80 40 0 0\nnot a route at all of ten words but no hex x\n')).toEqual([]);
  });

  it('of a guest without IPv6 are those of IPv4', async () => {
    const root = scratchDirectory();
    tree(root, { 'proc/net/route': `${ipv4Heading}eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n` });

    const routes = await linuxNetwork(root).routes?.list();

    expect(routes).toMatchObject([{ version: 4, interface: 'eth0', flags: 3 }]);
  });

  it('of a guest without IPv4 are those of IPv6, and of one without either none', async () => {
    const onlyIpv6 = scratchDirectory();
    tree(onlyIpv6, { 'proc/net/ipv6_route': ipv6Lines });

    expect(await linuxNetwork(onlyIpv6).routes?.list()).toHaveLength(3);
    expect(await linuxNetwork(scratchDirectory()).routes?.list()).toEqual([]);
  });

  it('name the file that cannot be read', async () => {
    const root = scratchDirectory();
    tree(root, { 'proc/net/route/directory': '' });

    await expect(linuxNetwork(root).routes?.list()).rejects.toMatchObject({ message: 'open("/proc/net/route"): Is a directory' });
  });
});
