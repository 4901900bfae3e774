// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const isRoot = process.getuid?.() === 0;
const has = (...programs: string[]): boolean => programs.every((program) => spawnSync('which', [program]).status === 0);
const loops = isRoot && has('unshare', 'mkfs.ext4', 'mount', 'fsfreeze') && spawnSync('losetup', ['-f']).status === 0;
const namespaces = isRoot && has('unshare', 'ip') && spawnSync('unshare', ['--net', 'true']).status === 0;

/** Runs a script in namespaces of its own, and answers the JSON that it printed. */
function inNamespace(kind: '--mount' | '--net', name: string, args: readonly string[] = []): unknown {
  const script = join(import.meta.dirname, 'native', `${name}.ts`);
  const output = execFileSync('unshare', [kind, '--fork', process.execPath, script, ...args], { maxBuffer: 1 << 28, timeout: 120_000 });
  return JSON.parse(output.toString());
}

interface IpCounters {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
  readonly missed?: number;
}

interface IpInterface {
  readonly ifname: string;
  readonly address?: string;
  readonly addr_info: readonly { readonly family: string; readonly local: string; readonly prefixlen: number; readonly label?: string }[];
  readonly stats64: { readonly rx: IpCounters; readonly tx: IpCounters };
}

interface OurInterface {
  readonly name: string;
  readonly hardwareAddress: string;
  readonly addresses: readonly { readonly family: string; readonly address: string; readonly prefix: number }[];
  readonly statistics?: Readonly<Record<string, number>>;
}

interface Interfaces {
  readonly before: readonly IpInterface[];
  readonly ours: readonly OurInterface[];
  readonly after: readonly IpInterface[];
}

/** What the backend and ip(8) see after some commands of ip(8). */
const interfacesAfter = (commands: readonly string[]): Interfaces => inNamespace('--net', 'interfaces', commands) as Interfaces;

const counters = ({ stats64: { rx, tx } }: IpInterface): Record<string, number> => ({
  rxBytes: rx.bytes,
  rxPackets: rx.packets,
  rxErrors: rx.errors,
  rxDropped: rx.dropped + (rx.missed ?? 0),
  txBytes: tx.bytes,
  txPackets: tx.packets,
  txErrors: tx.errors,
  txDropped: tx.dropped,
});

describe('interfaces', () => {
  it.skipIf(!namespaces)('are those of ip(8), counters included (needs root, unshare, ip)', () => {
    const { before, ours, after } = interfacesAfter([
      'link set lo up',
      'link add left type veth peer name right',
      'link add bridge0 type bridge',
      'tuntap add mode tun name tun0',
      'addr add 192.0.2.1/24 dev left',
      'addr add 198.51.100.7/32 peer 198.51.100.8 dev right',
      'addr add 2001:db8::1/64 dev left nodad',
      'addr add ::ffff:192.0.2.5/120 dev left nodad',
      'link set left up',
      'link set right up',
    ]);

    expect(ours.map(({ name }) => name)).toEqual(before.map(({ ifname }) => ifname));
    for (const [index, { ifname, address, addr_info: addresses }] of after.entries()) {
      const our = ours[index];
      expect(our?.hardwareAddress, ifname).toBe(address ?? '00:00:00:00:00:00');
      expect(our?.addresses, ifname).toEqual(
        addresses.map(({ family, local, prefixlen }) => ({ family: family === 'inet' ? 'ipv4' : 'ipv6', address: local, prefix: prefixlen })),
      );
    }
    // A link that comes up says a few words by itself: what was read lies between two readings of ip(8).
    for (const [index, our] of ours.entries()) {
      for (const [name, earlier] of Object.entries(counters(before[index]!))) {
        expect(our.statistics?.[name], `${our.name} ${name}`).toBeGreaterThanOrEqual(earlier);
        expect(our.statistics?.[name], `${our.name} ${name}`).toBeLessThanOrEqual(counters(after[index]!)[name]!);
      }
    }
  });

  it.skipIf(!namespaces)('of labelled addresses are of their own (needs root, unshare, ip)', () => {
    const { ours } = interfacesAfter([
      'link add eth0 type veth peer name other0',
      'addr add 192.0.2.1/24 dev eth0',
      'addr add 192.0.2.2/24 dev eth0 label eth0:1',
    ]);

    const link = ours.find(({ name }) => name === 'eth0');
    expect(link?.addresses).toEqual([{ family: 'ipv4', address: '192.0.2.1', prefix: 24 }]);
    expect(ours.at(-1)).toEqual({
      name: 'eth0:1',
      hardwareAddress: link?.hardwareAddress,
      addresses: [{ family: 'ipv4', address: '192.0.2.2', prefix: 24 }],
    });
  });

  it.skipIf(!namespaces)('of an empty network are the loopback alone (needs root, unshare, ip)', () => {
    const { ours } = interfacesAfter(['link set lo up']);

    expect(ours).toMatchObject([
      {
        name: 'lo',
        hardwareAddress: '00:00:00:00:00:00',
        addresses: [{ family: 'ipv4', address: '127.0.0.1', prefix: 8 }, { family: 'ipv6', address: '::1', prefix: 128 }],
        statistics: { rxBytes: 0 },
      },
    ]);
  });
});

describe('trimming', () => {
  it.skipIf(!loops)('gives the space of deleted files back to the image below (needs root, loop devices, mkfs.ext4)', () => {
    const { mountPoint, outcomes, before, after, coveredMeanwhile, covered, byBind } = inNamespace('--mount', 'trim') as {
      mountPoint: string;
      outcomes: readonly { path: string; trimmed: number; minimum: number }[];
      before: number;
      after: number;
      coveredMeanwhile: unknown;
      covered: unknown;
      byBind: unknown;
    };
    const error = 'failed to trim: other mounts cover every place where it is mounted';

    expect(outcomes).toEqual([{ path: mountPoint, trimmed: expect.any(Number) as number, minimum: expect.any(Number) as number }]);
    expect(outcomes[0]?.trimmed).toBeGreaterThanOrEqual(24 * 1024 * 1024);
    expect(before - after).toBeGreaterThanOrEqual((24 * 1024 * 1024) / 512);
    expect(coveredMeanwhile).toEqual([{ path: mountPoint, error }]);
    expect(covered).toEqual([{ path: mountPoint, error }]);
    expect(byBind).toEqual([{ path: mountPoint, trimmed: expect.any(Number) as number, minimum: expect.any(Number) as number }]);
  });
});

describe('a frozen file system', () => {
  it.skipIf(!loops)('holds up its own writers and nobody else (needs root, loop devices, mkfs.ext4, fsfreeze)', () => {
    const report = inNamespace('--mount', 'frozen');

    expect(report).toEqual({
      readAtOnce: 9,
      elsewhere: expect.stringMatching(/./) as string,
      exec: 7,
      settledWhileFrozen: 0,
      contents: Array.from({ length: 12 }, () => 'text'),
    });
  });
});
