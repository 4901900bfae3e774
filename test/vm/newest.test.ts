// SPDX-License-Identifier: Apache-2.0
/** In a minute, what matters most and differs most by release, on another pair than the first, on which the continuous tests run everything. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentUnit } from './lab/agent-unit.ts';
import { explainFailures } from './lab/explain.ts';
import { installPackages } from './lab/host.ts';
import { lacking } from './lab/lacking.ts';
import { Machine } from './lab/machine.ts';
import { guest, host as hostName } from './lab/pair.ts';
import { PatientHost } from './lab/patient-host.ts';
import { agentPayload } from './lab/payload.ts';
import { wearOut } from './lab/rude-hosts.ts';

const isFirst = hostName === 'bookworm' && guest === '6.1' ? 'the other files have all of it for this pair; --host=trixie-backports --guest=7.3' : undefined;
const missing = lacking() ?? isFirst;

/** Writes to /data again and again; /run/beats has a line for each time that it came through. */
const writer = `while true; do echo beat >/data/beat && echo >>/run/beats; sleep 0.1; done`;

describe.skipIf(missing !== undefined)(`our agent with QEMU of ${hostName} and kernel ${guest}${missing === undefined ? '' : ` (${missing})`}`, () => {
  let machine: Machine;
  let agent: AgentUnit;
  let host: PatientHost;

  beforeAll(async () => {
    await installPackages();
    machine = await Machine.boot({ payload: await agentPayload() });
    await machine.shell.run('systemctl mask --quiet --runtime --now qemu-guest-agent');
    agent = await AgentUnit.start(machine.shell, 'concierge', '--retry-path');
    host = new PatientHost(await machine.agent());
    await host.answered();
  });
  explainFailures(() => machine);
  afterAll(async () => machine?.destroy());

  it('tells of the kernel that it runs on', async () => {
    const { 'kernel-release': release } = (await host.ask('guest-get-osinfo')) as { 'kernel-release': string };

    expect(release).toBe(await machine.shell.run('uname -r'));
    expect(release.startsWith(`${guest}.`)).toBe(true);
  });

  it('freezes what is written to, and thaws it', async () => {
    await machine.shell.run('truncate -s 32M /dev/shm/data && mkfs.ext4 -q /dev/shm/data && mkdir /data && mount -o loop /dev/shm/data /data');
    await machine.shell.run(`systemd-run --quiet --unit=writer bash -c '${writer}'`);
    await machine.shell.until('[ -s /run/beats ]');

    expect(await host.ask('guest-fsfreeze-freeze-list', { mountpoints: ['/data'] })).toBe(1);
    expect(await host.ask('guest-fsfreeze-status')).toBe('frozen');
    await machine.shell.until('grep -q percpu_rwsem_wait /proc/$(systemctl show -P MainPID writer)/wchan');
    const held = await machine.shell.run('wc -l </run/beats');
    expect(await host.ask('guest-fsfreeze-thaw')).toBe(1);

    await machine.shell.until(`(( $(wc -l </run/beats) > ${held} ))`);
    expect(await host.ask('guest-fsfreeze-status')).toBe('thawed');
    await machine.shell.run('systemctl stop writer && umount /data');
  });

  it('answers the next host, and stays the same process, after others have worn out the port', async () => {
    const pid = await agent.processId();

    await wearOut(machine);
    machine.leave();

    const next = new PatientHost(await machine.agent());
    await next.answered();
    expect(await agent.processId()).toBe(pid);
  });
});
