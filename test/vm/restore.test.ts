// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentUnit } from './lab/agent-unit.ts';
import { explainFailures } from './lab/explain.ts';
import { installPackages } from './lab/host.ts';
import { lacking } from './lab/lacking.ts';
import type { LineSocket } from './lab/line-socket.ts';
import { Machine } from './lab/machine.ts';
import * as pair from './lab/pair.ts';
import { agentPayload } from './lab/payload.ts';

const missing = lacking();
const hour = 3600;
/** What the clock may be off by, in seconds, and what more where it counts in whole ones, as a hardware clock does. */
const exact = 0.1;
const resolution = 1;

/**
 * A guest with room for another processor and memory, and the GUID of one of several copies. Its firmware says that it is one of VMware's: newer
 * kernels count processors that may be added only in a guest of a hypervisor that they know, and TCG is none.
 */
const twin = (digit: string): readonly string[] => [
  '-cpu', 'max,-hypervisor',
  '-smbios', 'type=1,serial=VMware-1',
  '-m', '768,slots=2,maxmem=2G',
  '-smp', '2,maxcpus=3,sockets=3,cores=1,threads=1',
  '-device', `vmgenid,guid=${digit.repeat(8)}-1111-1111-1111-111111111111`,
  ...(pair.host === 'bookworm' ? [] : ['-device', 'vmclock']),
];

interface Report {
  readonly number: number;
  readonly clock?: { readonly result: string; readonly occasion: string; readonly source: string; readonly 'off-by': number };
  readonly hooks: readonly { readonly name: string; readonly ok: boolean }[];
  readonly 'hooks-under-way': boolean;
}

/** One guest, whose snapshot is restored again and again; each test begins where the one before has left off. */
describe.skipIf(missing !== undefined)(`a guest that is restored${missing === undefined ? '' : ` (${missing})`}`, () => {
  let machine: Machine;
  /** Whether this kernel has the driver of vmgenid; that of Debian 12 for clouds has not. */
  let hears = false;
  const identities: string[] = [];

  beforeAll(async () => {
    await installPackages();
    machine = await Machine.boot({ payload: await agentPayload(), devices: twin('1') });
    await machine.shell.run(`systemctl mask --quiet --runtime --now qemu-guest-agent
      mkdir -p -m 755 /etc/generation.d
      printf '#!/bin/sh\\necho "$CONCIERGE_OLD_GENERATION $CONCIERGE_NEW_GENERATION" >> /run/hook\\n' > /etc/generation.d/10-tells
      printf '#!/bin/sh\\ncat /proc/sys/kernel/random/uuid > /run/identity\\n' > /etc/generation.d/20-identity
      chmod 755 /etc/generation.d/*
      printf '[concierge]\\ngeneration-directory = /etc/generation.d\\nauto-online = all\\nauto-online-zone = movable\\n' > /run/agent.conf`);
    await AgentUnit.start(machine.shell, 'concierge', '-v -c /run/agent.conf');
    hears = (await machine.shell.try('ls -d /sys/bus/{acpi,platform}/drivers/vmgenid')).output.includes('/drivers/vmgenid\n');
    const host = await machine.agent();
    expect(await ask(host, '__org.concierge_generation')).toMatchObject({ number: 0 });
    // By then the last look at the clock is long enough ago.
    await machine.shell.run('sleep 2');
    await machine.save('once');
    await ask(host, 'guest-ping');
    await machine.save('just-asked');
  });
  explainFailures(() => machine);
  afterAll(async () => machine?.destroy());

  async function ask(host: LineSocket, execute: string): Promise<unknown> {
    host.send(`${JSON.stringify({ execute })}\n`);
    return (JSON.parse(await host.line()) as { readonly return: unknown }).return;
  }

  /** Whether the guest's answer is of between then and now, an hour from now. */
  function isRight(nanoseconds: unknown, since: number): void {
    const seconds = Number(nanoseconds) / 1e9 - hour;
    expect(seconds).toBeGreaterThan(since / 1000 - resolution - exact);
    expect(seconds).toBeLessThan(Date.now() / 1000 + exact);
  }

  /** Goes on an hour later, with requests in the port before the guest does anything. The last answer has the right time. */
  async function goOn(devices: readonly string[], snapshot = 'once', ...first: readonly string[]): Promise<LineSocket> {
    machine = await machine.restored(snapshot, { devices, ahead: hour });
    const host = await machine.agent();
    host.send([...first, '{"execute": "guest-get-time"}'].map((line) => `${line}\n`).join(''));
    const since = Date.now();
    await machine.qmp.execute('cont');
    for (const _ of first) await host.line();
    isRight((JSON.parse(await host.line()) as { readonly return: unknown }).return, since);
    return host;
  }

  async function addProcessor(): Promise<void> {
    const slots = (await machine.qmp.execute('query-hotpluggable-cpus')) as readonly { readonly 'qom-path'?: string; readonly type: string; readonly props: object }[];
    const free = slots.find((slot) => slot['qom-path'] === undefined);
    await machine.qmp.execute('device_add', { driver: free?.type, id: 'processor', ...free?.props });
    await machine.shell.until('[ -d /sys/devices/system/cpu/cpu2 ] && grep -qx 1 /sys/devices/system/cpu/cpu2/online');
  }

  async function addMemory(): Promise<void> {
    await machine.shell.run('echo offline > /sys/devices/system/memory/auto_online_blocks');
    await machine.qmp.execute('object-add', { 'qom-type': 'memory-backend-ram', id: 'module', size: 256 * 1024 * 1024 });
    await machine.qmp.execute('device_add', { driver: 'pc-dimm', id: 'dimm', memdev: 'module' });
    await machine.shell.until('[[ $(cat /sys/devices/system/memory/memory3[23]/state | sort -u) == online ]]');
  }

  /** Waits for the kernel's word, and the hooks. */
  async function settledReport(host: LineSocket, number: number): Promise<Report> {
    for (;;) {
      const report = (await ask(host, '__org.concierge_generation')) as Report;
      if (report.number >= number && !report['hooks-under-way']) return report;
      await machine.shell.run('sleep 0.2');
    }
  }

  it.each(['2', '3'])('answers the request that was in the port with the right time, and is another one: %s', async (digit) => {
    const host = await goOn(twin(digit));

    const report = await settledReport(host, hears ? 1 : 0);
    console.log(`the kernel ${hears ? 'said so' : 'has no driver of vmgenid'}; ${JSON.stringify(report.clock)}`);
    const since = Date.now();
    isRight(await ask(host, 'guest-get-time'), since);
    expect(report.clock).toBeDefined();
    expect(report.hooks.map(({ ok }) => ok)).toEqual(hears ? [true, true] : []);
    expect(await machine.shell.run('cat /run/hook || true')).toBe(hears ? '0 1' : 'cat: /run/hook: No such file or directory');
    if (hears) identities.push(await machine.shell.run('cat /run/identity'));
  });

  it('is as many others as it was restored times', () => {
    expect(new Set(identities).size).toBe(hears ? 2 : 0);
  });

  it('brings added memory and processors on line, once, and lets memory be taken away again', async () => {
    const { shell, qmp } = machine;
    const uptime = async (): Promise<number> => Number(await shell.run('cut -d" " -f1 /proc/uptime'));
    const began = await uptime();
    await addMemory();
    console.log(`the memory was on line ${((await uptime()) - began).toFixed(2)} s after it was asked for`);

    await addProcessor();
    // What the kernel and the agent say of it, by the guest's clock.
    console.log(await shell.run('journalctl -q -o short-precise --no-hostname | grep -E "CPU2 has been hot-added|processor 2 was added"'));

    const said = await shell.run('journalctl -q -o cat -u concierge | grep "was added"');
    expect(said.match(/memory block 32 was added and is on line/g)).toHaveLength(1);
    expect(said.match(/processor 2 was added and is on line/g)).toHaveLength(1);
    await qmp.execute('device_del', { id: 'dimm' });
    await shell.until('[ ! -d /sys/devices/system/memory/memory32 ]');
    await qmp.execute('device_del', { id: 'processor' });
    await shell.until('[ ! -d /sys/devices/system/cpu/cpu2 ]');
  });

  it('with the GUID that it had has the right time, found before the first answer, and is nobody else', async () => {
    const host = await goOn(twin('1'));

    const report = (await ask(host, '__org.concierge_generation')) as Report;
    console.log(`nothing was said of another generation; ${JSON.stringify(report.clock)}`);
    expect(report).toMatchObject({ number: 0, clock: { result: 'stepped' }, hooks: [] });
    expect(['request', 'host', 'disruption']).toContain(report.clock?.occasion);
  });

  it('has the right time for a host that begins with guest-sync, however shortly before its snapshot it was asked', async () => {
    await goOn(twin('1'), 'just-asked', '{"execute": "guest-sync", "arguments": {"id": 1}}');
  });

  it('does nothing twice where a rule of udev does the same', async () => {
    const { shell } = machine;
    await shell.run(`mkdir -p /run/udev/rules.d
      { echo 'SUBSYSTEM=="memory", ACTION=="add", ATTR{state}="online_movable"'
        echo 'SUBSYSTEM=="cpu", ACTION=="add", TEST=="online", ATTR{online}=="0", ATTR{online}="1"'; } > /run/udev/rules.d/40-hotplug.rules
      udevadm control --reload`);

    await addMemory();
    await addProcessor();
    await shell.run('udevadm settle');
    for (const added of ['memory block 33', 'processor 2']) await shell.until(`journalctl -q -o cat -u concierge | grep -q "${added} was added"`);

    const said = await shell.run('journalctl -q -o cat -u concierge | grep "was added"');
    expect(said.match(/memory block 3[23] was added and is on line/g)).toHaveLength(2);
    expect(said.match(/processor 2 was added and is on line/g)).toHaveLength(1);
    expect(said).not.toContain('cannot be brought on line');
  });
});
