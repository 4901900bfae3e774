// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { posixError } from '../../../core/errors/posix-errno.ts';
import { guest } from './support/exchange.ts';

describe('session', () => {
  it.each(['guest-sync', 'guest-sync-delimited'])('%s gives back any number exactly', async (name) => {
    expect(await guest().ask(name, '{"id": -9223372036854775808}')).toBe('-9223372036854775808');
    expect(await guest().ask(name, '{"id": 9223372036854775807}')).toBe('9223372036854775807');
  });

  it('a ping is answered and leaves no line in the log', async () => {
    const host = guest();

    expect(await host.ask('guest-ping')).toBe('{}');
    expect(host.log.texts()).toEqual([]);
  });

  it('guest-info lists the commands, the newest first', async () => {
    const { version, supported_commands: commands } = JSON.parse(await guest().ask('guest-info')) as {
      version: string; supported_commands: { name: string; 'success-response': boolean }[];
    };

    expect(version).toBe('11.1.0');
    expect(commands).toHaveLength(55);
    expect(commands.slice(1, 7).every(({ name }) => name.startsWith('__org.concierge_exec-'))).toBe(true);
    expect(commands[0]?.name).toBe('__org.concierge_generation');
    expect(commands.slice(7, 11)).toEqual([
      { enabled: true, name: '__org.concierge_fsfreeze-plan', 'success-response': true },
      { enabled: true, name: '__org.concierge_fsfreeze-report', 'success-response': true },
      { enabled: true, name: 'guest-get-driver-services', 'success-response': true },
      { enabled: true, name: 'guest-get-driver-packages', 'success-response': true },
    ]);
    expect(commands.at(-1)?.name).toBe('guest-sync-delimited');
    expect(commands.filter((command) => !command['success-response']).map(({ name }) => name))
      .toEqual(['guest-suspend-hybrid', 'guest-suspend-ram', 'guest-suspend-disk', 'guest-shutdown']);
  });
});

describe('network', () => {
  it('interfaces are printed as qemu-ga prints them', async () => {
    const host = guest();
    host.machine.network.interfaces.splice(0, 1, { name: 'ifb0', hardwareAddress: '02:00:00:00:00:01', addresses: [] }, { name: 'tun0', addresses: [] });

    expect(await host.ask('guest-network-get-interfaces')).toBe(
      '[{"name": "ifb0", "hardware-address": "02:00:00:00:00:01"}, {"name": "tun0"}, '
      + '{"name": "eth0", "ip-addresses": [{"ip-address-type": "ipv4", "ip-address": "192.0.2.10", "prefix": 24}, '
      + '{"ip-address-type": "ipv6", "ip-address": "fe80::5054:ff:fe12:3456", "prefix": 64}], '
      + '"statistics": {"tx-packets": 540000, "tx-errs": 0, "rx-bytes": 1099511627776, "rx-dropped": 2, "rx-packets": 812000, '
      + '"rx-errs": 0, "tx-bytes": 734003200, "tx-dropped": 0}, "hardware-address": "52:54:00:12:34:56"}]',
    );
  });

  it('routes of both families are printed as qemu-ga prints them, flags unsigned', async () => {
    const host = guest();
    host.machine.network.routes.splice(1, 2, {
      version: 6, interface: 'eth0', destination: 'fe80::', destinationPrefix: 64, source: '::', sourcePrefix: 0, nextHop: '::',
      metric: -1, flags: 0x80200001 | 0, references: 1, use: 0,
    });

    expect(await host.ask('guest-network-get-route')).toBe(
      '[{"flags": 3, "metric": 100, "refcnt": 0, "window": 0, "version": 4, "iface": "eth0", "destination": "0.0.0.0", "irtt": 0, '
      + '"gateway": "192.0.2.1", "use": 0, "mtu": 0, "mask": "0.0.0.0"}, '
      + '{"flags": 2149580801, "source": "::", "metric": -1, "refcnt": 1, "version": 6, "nexthop": "::", "iface": "eth0", '
      + '"destination": "fe80::", "desprefixlen": "64", "srcprefixlen": "0", "use": 0}]',
    );
  });
});

describe('routes of a system that keeps no more of them', () => {
  it('are printed without flags, counters and limits, as qemu-ga prints those of Windows', async () => {
    const host = guest();
    host.machine.network.routes.splice(0, 3,
      { version: 4, interface: 'Ethernet', destination: '0.0.0.0', gateway: '192.0.2.1', mask: '0.0.0.0', metric: 25 },
      { version: 6, interface: 'Ethernet', destination: '::', destinationPrefix: 0, source: '::', sourcePrefix: 0, nextHop: 'fe80::1', metric: 25 });

    expect(await host.ask('guest-network-get-route')).toBe(
      '[{"metric": 25, "version": 4, "iface": "Ethernet", "destination": "0.0.0.0", "gateway": "192.0.2.1", "mask": "0.0.0.0"}, '
      + '{"source": "::", "metric": 25, "version": 6, "nexthop": "fe80::1", "iface": "Ethernet", "destination": "::", "desprefixlen": "0", "srcprefixlen": "0"}]',
    );
  });
});

describe('processors', () => {
  it('are listed by number', async () => {
    const { ask } = guest({ processors: [{ logicalId: 0, online: true, canOffline: false }, { logicalId: 1, online: false, canOffline: true }] });

    expect(await ask('guest-get-vcpus')).toBe(
      '[{"online": true, "can-offline": false, "logical-id": 0}, {"online": false, "can-offline": true, "logical-id": 1}]',
    );
  });

  it.each([
    ['[]', '0'],
    ['[{"logical-id": 0, "online": true}]', '1'],
    ['[{"logical-id": 1, "online": true, "can-offline": false}]', '1'],
    ['[{"logical-id": 2, "online": false}, {"logical-id": 2, "online": true}, {"logical-id": 3, "online": false}]', '3'],
    ['[{"logical-id": 99, "online": true}]', "error: Could not open '/sys/devices/system/cpu/cpu99/': No such file or directory"],
    ['[{"logical-id": -1, "online": true}]', "error: Could not open '/sys/devices/system/cpu/cpu-1/': No such file or directory"],
    ['[{"logical-id": 0, "online": true}, {"logical-id": 99, "online": true}, {"logical-id": 3, "online": false}]', '1'],
    ['[{"logical-id": 0, "online": false}]', "error: logical processor #0 can't be offlined"],
  ])('set to %s: %s', async (vcpus, answer) => {
    expect(await guest().ask('guest-set-vcpus', `{"vcpus": ${vcpus}}`)).toBe(answer);
  });

  it('after the first failure are left alone, and the log says what it was', async () => {
    const host = guest();

    await host.ask('guest-set-vcpus', '{"vcpus": [{"logical-id": 1, "online": false}, {"logical-id": 0, "online": false}, {"logical-id": 2, "online": false}]}');

    expect(host.machine.processors.list.map(({ online }) => online)).toEqual([true, false, true, true]);
    expect(host.log.texts('warning')).toEqual(["guest-set-vcpus stopped after 1 of 3: logical processor #0 can't be offlined"]);
  });

  it('are told of in one line of the log, however many a host switches', async () => {
    const host = guest();

    await host.ask('guest-set-vcpus', '{"vcpus": [{"logical-id": 2, "online": false}, {"logical-id": 3, "online": false}, {"logical-id": 2, "online": true}]}');
    await host.ask('guest-set-vcpus', '{"vcpus": [{"logical-id": 2, "online": true}, {"logical-id": 0, "online": false}]}');
    await host.ask('guest-set-vcpus', '{"vcpus": []}');

    expect(host.log.texts('account')).toEqual([
      'guest-set-vcpus: logical processors 2-3 off line, 2 on line', 'guest-set-vcpus: logical processors 2 on line',
      'guest-set-vcpus: logical processors none',
    ]);
  });

  it('have counters, those absent that the kernel does not keep', async () => {
    const host = guest();
    host.machine.processors.statistics = [
      { cpu: 0, user: 3n, nice: 0n, system: 2n, idle: 1n, iowait: 0n, irq: 0n, softirq: 0n, steal: 0n, guest: 0n, guestNice: 0n },
      { cpu: 1, user: 2n ** 63n, nice: 0n, system: 2n, idle: 1n },
    ];

    expect(await host.ask('guest-get-cpustats')).toBe(
      '[{"cpu": 0, "guestnice": 0, "idle": 1, "steal": 0, "iowait": 0, "system": 2, "guest": 0, "nice": 0, "irq": 0, "type": "linux", '
      + '"user": 3, "softirq": 0}, {"cpu": 1, "idle": 1, "system": 2, "nice": 0, "type": "linux", "user": 9223372036854775808}]',
    );
  });

  it('have a load', async () => {
    expect(await guest({ load: [1.79541015625, 2.10400390625, 2.29833984375] }).ask('guest-get-load'))
      .toBe('{"load15m": 2.29833984375, "load5m": 2.10400390625, "load1m": 1.79541015625}');
  });
});

describe('memory blocks', () => {
  it('are switched by one call of the port each, and told of in one line of the log', async () => {
    const count = 300;
    const host = guest({ memory: { blockSize: 1n, blocks: Array.from({ length: count }, (_, i) => ({ physIndex: BigInt(i), online: true, canOffline: true })) } });
    const set = async (wanted: readonly object[]): Promise<void> => void (await host.ask('guest-set-memory-blocks', JSON.stringify({ 'mem-blks': wanted })));

    await set(Array.from({ length: count }, (_, i) => ({ 'phys-index': i, online: false })));
    await set(Array.from({ length: 40 }, (_, i) => ({ 'phys-index': 2 * i, online: true })));

    expect(host.machine.faults.calls.filter((call) => call.startsWith('memory.'))).toHaveLength(count + 40);
    const runs = Array.from({ length: 32 }, (_, i) => `${2 * i} on line: success`).join(', ');
    expect(host.log.texts('account')).toEqual([
      'guest-set-memory-blocks: blocks 0-299 off line: success', `guest-set-memory-blocks: blocks ${runs}, 8 more`,
    ]);
  });

  it('are listed by number, with their size elsewhere', async () => {
    const { ask } = guest({ memory: { blockSize: 134_217_728n, blocks: [{ physIndex: 7n, online: true, canOffline: false }] } });

    expect(await ask('guest-get-memory-blocks')).toBe('[{"online": true, "can-offline": false, "phys-index": 7}]');
    expect(await ask('guest-get-memory-block-info')).toBe('{"size": 134217728}');
  });

  it.each([
    ['[]', '[]'],
    ['[{"phys-index": 0, "online": true}]', '[{"response": "success", "phys-index": 0}]'],
    ['[{"phys-index": 999999, "online": false}, {"phys-index": 2, "online": false}]',
      '[{"response": "not-found", "error-code": 2, "phys-index": 999999}, {"response": "success", "phys-index": 2}]'],
    ['[{"phys-index": 18446744073709551615, "online": true}]', '[{"response": "not-found", "error-code": 2, "phys-index": 18446744073709551615}]'],
    ['[{"phys-index": -1, "online": true}]', '[{"response": "not-found", "error-code": 2, "phys-index": 18446744073709551615}]'],
    ['[{"phys-index": 1, "online": false}]', '[{"response": "operation-failed", "error-code": 16, "phys-index": 1}]'],
  ])('set to %s: %s', async (blocks, answer) => {
    expect(await guest().ask('guest-set-memory-blocks', `{"mem-blks": ${blocks}}`)).toBe(answer);
  });
});

describe('disks', () => {
  it('come last first, partitions before their disk', async () => {
    const names = (JSON.parse(await guest().ask('guest-get-disks')) as { name: string }[]).map(({ name }) => name);

    expect(names).toEqual(['/dev/loop0', '/dev/dm-0', '/dev/nvme0n1', '/dev/vdb', '/dev/vda2', '/dev/vda1', '/dev/vda']);
  });

  it('are printed as qemu-ga prints them, counters of 128 bits in two halves', async () => {
    const disks = await guest().ask('guest-get-disks');

    expect(disks).toContain(
      '"address": {"serial": "system", "bus-type": "virtio", "bus": 0, "unit": 0, "pci-controller": {"bus": 0, "slot": 4, "domain": 0, '
      + '"function": 0}, "dev": "/dev/vda", "target": 0}',
    );
    expect(disks).toContain(
      '"smart": {"available-spare": 100, "host-write-commands-hi": 0, "temperature": 323, "power-on-hours-lo": 5, "host-read-commands-hi": 0, '
      + '"host-read-commands-lo": 89012, "number-of-error-log-entries-hi": 0, "unsafe-shutdowns-hi": 0, "unsafe-shutdowns-lo": 3, '
      + '"host-write-commands-lo": 34567, "available-spare-threshold": 10, "power-on-hours-hi": 1, "controller-busy-time-hi": 0, '
      + '"controller-busy-time-lo": 2, "data-units-read-hi": 0, "data-units-read-lo": 1234, "power-cycles-hi": 0, "power-cycles-lo": 12, '
      + '"media-errors-hi": 0, "media-errors-lo": 0, "data-units-written-hi": 0, "data-units-written-lo": 567, "type": "nvme", '
      + '"critical-warning": 0, "percentage-used": 1, "number-of-error-log-entries-lo": 1}',
    );
    expect(disks).toContain('{"name": "/dev/dm-0", "dependencies": ["/dev/vdb"], "partition": false, "alias": "vg0-data"}');
  });

  it('have counters', async () => {
    const stats = JSON.parse(await guest().ask('guest-get-diskstats')) as { name: string; stats: object }[];

    expect(stats[0]).toMatchObject({
      name: 'vda', major: 252, minor: 0, stats: { 'read-ios': 9200, 'ios-pgr': 0, 'weight-ticks': 10_400, 'flush-ios': 610 },
    });
    expect(stats.find(({ name }) => name === 'loop0')?.stats).toEqual({});
  });

  it('carry file systems, the one mounted last first', async () => {
    const info = JSON.parse(await guest().ask('guest-get-fsinfo')) as { mountpoint: string; disk: unknown[] }[];

    expect(info.map(({ mountpoint }) => mountpoint)).toEqual(['/mnt/backup', '/data', '/boot', '/']);
    expect(info.at(-1)).toMatchObject({ type: 'ext4', 'total-bytes-privileged': 16 * 2 ** 30, disk: [{ 'bus-type': 'virtio' }] });
  });
});

describe('identity', () => {
  it('each user is listed once, with the earliest login', async () => {
    const sessions = [
      { user: 'alice', loginTime: 20.5 }, { user: 'bob', loginTime: 5 }, { user: 'alice', loginTime: 10.25 },
      { user: 'alice', loginTime: 30, domain: 'CORP' }, { user: 'alice', loginTime: 40 },
    ];

    expect(await guest({ sessions }).ask('guest-get-users'))
      .toBe('[{"login-time": 10.25, "user": "alice"}, {"login-time": 5, "user": "bob"}, {"login-time": 30, "domain": "CORP", "user": "alice"}]');
  });

  it('a guest without sessions has no users', async () => {
    expect(await guest({ sessions: [] }).ask('guest-get-users')).toBe('[]');
  });

  it('name, time zone and system are told', async () => {
    const host = guest({ host: { name: 'vm', timeZone: { offset: -18_000 }, osInformation: { machine: 'x86_64', prettyName: 'Grüße ☃' } } });

    expect(await host.ask('guest-get-host-name')).toBe('{"host-name": "vm"}');
    expect(await host.ask('guest-get-timezone')).toBe('{"offset": -18000}');
    expect(await host.ask('guest-get-osinfo')).toBe('{"pretty-name": "Gr\\u00FC\\u00DFe \\u2603", "machine": "x86_64"}');
  });

  it('drivers are told where the system has them', async () => {
    const host = guest({
      host: {
        devices: [
          { driverName: 'VirtIO', driverDate: 1_700_000_000_000_000_000n, driverVersion: '100.0', pciId: { vendorId: 6900, deviceId: 4096 } },
          { driverName: 'Other' },
        ],
      },
    });

    expect(await host.ask('guest-get-devices')).toBe(
      '[{"driver-date": 1700000000000000000, "driver-name": "VirtIO", "driver-version": "100.0", '
      + '"id": {"device-id": 4096, "vendor-id": 6900, "type": "pci"}}, {"driver-name": "Other"}]',
    );
  });

  it('packages and services of drivers are told where the system has them; what is not known is left out', async () => {
    const host = guest({
      host: {
        driverPackages: [{ name: 'oem0.inf', originalName: 'netkvm.inf', version: '100.94.104.24800', vendor: 'Red Hat, Inc.' }, { name: 'oem1.inf', version: '1.0' }],
        driverServices: [
          { name: 'netkvm', driverPath: 'C:\\Windows\\System32\\drivers\\netkvm.sys', version: '100.94.104.24800', vendor: 'Red Hat, Inc.', status: 'running' },
          { name: 'gone', status: 'stopped' },
        ],
      },
    });

    expect(await host.ask('guest-get-driver-packages')).toBe(
      '[{"name": "oem0.inf", "original-name": "netkvm.inf", "version": "100.94.104.24800", "vendor": "Red Hat, Inc."}, {"name": "oem1.inf", "version": "1.0"}]',
    );
    expect(await host.ask('guest-get-driver-services')).toBe(
      '[{"name": "netkvm", "driver-path": "C:\\\\Windows\\\\System32\\\\drivers\\\\netkvm.sys", "version": "100.94.104.24800", "vendor": "Red Hat, Inc.", "status": "running"}, '
      + '{"name": "gone", "status": "stopped"}]',
    );
  });
});

it.each([
  ['guest-network-get-interfaces', 'network.interfaces', 'list', 'getifaddrs failed'],
  ['guest-network-get-route', 'network.routes', 'list', 'failed to list routes'],
  ['guest-get-vcpus', 'processors.online', 'list', 'failed to list logical processors'],
  ['guest-get-cpustats', 'processors.statistics', 'list', 'failed to read processor statistics'],
  ['guest-get-load', 'processors.load', 'average', 'cannot query load average'],
  ['guest-get-memory-blocks', 'memory.blocks', 'list', 'failed to list memory blocks'],
  ['guest-get-memory-block-info', 'memory.blocks', 'blockSize', 'failed to read the size of memory blocks'],
  ['guest-get-disks', 'fileSystem.disks', 'list', 'failed to list disks'],
  ['guest-get-fsinfo', 'fileSystem.usage', 'list', 'failed to list file systems'],
  ['guest-get-diskstats', 'fileSystem.diskStatistics', 'list', 'failed to read disk statistics'],
  ['guest-get-host-name', 'host.hostName', 'get', 'cannot get hostname'],
  ['guest-get-users', 'accounts.sessions', 'list', 'failed to list users'],
  ['guest-get-timezone', 'host.timeZone', 'get', "Couldn't retrieve local timezone"],
  ['guest-get-osinfo', 'host.osInformation', 'get', 'uname failed'],
  ['guest-fstrim', 'fileSystem.trimming', 'trim', 'failed to trim'],
  ['guest-get-driver-packages', 'host.driverPackages', 'list', 'failed to list driver packages'],
  ['guest-get-driver-services', 'host.driverServices', 'list', 'failed to list driver services'],
])('%s says what failed, and what the system said of it', async (name, port, method, text) => {
  const host = guest({ host: { driverPackages: [], driverServices: [] } });
  host.machine.faults.inject({ port, method, error: posixError('EIO') });

  expect(await host.ask(name)).toBe(`error: ${text}: Input/output error`);
});

describe('trimming', () => {
  it('reports each file system, the one mounted last first', async () => {
    const host = guest();
    host.machine.faults.inject({ port: 'kernel', method: 'fitrim', on: '/boot', error: 'EPERM' });

    const { paths } = JSON.parse(await host.ask('guest-fstrim', '{"minimum": 65536}')) as { paths: { path: string }[] };

    expect(paths.map(({ path }) => path)).toEqual(['/mnt/backup', '/data', '/boot', '/']);
    expect(paths[2]).toEqual({ path: '/boot', error: 'failed to trim: Operation not permitted' });
    expect(paths[3]).toMatchObject({ path: '/', minimum: 65_536 });
  });

  it('takes a negative minimum for a huge one, as the kernel does', async () => {
    const { paths } = JSON.parse(await guest().ask('guest-fstrim', '{"minimum": -1}')) as { paths: { error?: string }[] };

    expect(new Set(paths.map(({ error }) => error))).toEqual(new Set(['failed to trim: Invalid argument']));
  });
});
