import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installPackages, missingForLab } from './lab/host.ts';
import { Libvirt, type Domain } from './lab/libvirt.ts';
import { AGENT, agentPayload } from './lab/payload.ts';

const missing = missingForLab();

describe.skipIf(missing !== undefined)(`our agent under libvirt${missing === undefined ? '' : ` (${missing})`}`, () => {
  let libvirt: Libvirt;
  let guest: Domain;
  const virsh = (...args: readonly string[]): Promise<string> => libvirt.virsh(...args);

  beforeAll(async () => {
    await installPackages();
    libvirt = await Libvirt.start();
    guest = await libvirt.domain('guest', { payload: await agentPayload() });
    await guest.shell.run('systemctl mask --quiet --runtime --now qemu-guest-agent');
    await guest.shell.run(`systemd-run --quiet --unit=concierge ${AGENT} -t /run/concierge --retry-path`);
    // libvirt connects when the guest opens the port.
    await guest.shell.run('until ls -l /proc/$(systemctl show -P MainPID concierge)/fd | grep -q vport; do sleep 0.1; done');
  });
  afterAll(async () => libvirt?.stop());

  it('is reached by qemu-agent-command', async () => {
    const answer = await virsh('qemu-agent-command', '--timeout', '60', 'guest', '{"execute":"guest-ping"}');

    expect(JSON.parse(answer)).toEqual({ return: {} });
  });

  it('tells its host name', async () => {
    expect(await virsh('domhostname', 'guest', '--source', 'agent')).toBe('guest');
  });

  it('tells its addresses', async () => {
    const addresses = await virsh('domifaddr', 'guest', '--source', 'agent', '--full');

    for (const line of (await guest.shell.run('ip -br -4 addr')).split('\n')) {
      const [name = '', , address = ''] = line.split(/\s+/);
      expect(addresses).toMatch(new RegExp(`${name} .* ${address}`));
    }
  });

  it('lists its file systems in mount order with the disks below', async () => {
    const list = await virsh('domfsinfo', 'guest');

    expect(list.split('\n').map((line) => line.trim().split(/\s+/))).toContainEqual(['/', 'vda', 'ext4', 'vda']);
  });

  it('tells its time', async () => {
    const time = Number((await virsh('domtime', 'guest')).replace(/\D/g, ''));

    const seen = Number(await guest.shell.run('date +%s'));
    expect(time).toBeGreaterThan(seen - 60);
    expect(time).toBeLessThanOrEqual(seen);
  });

  it('tells its processors', async () => {
    expect(await virsh('guestvcpus', 'guest')).toMatch(/vcpus\s*: 0-1/);
  });

  it('freezes and thaws as many file systems as the reference does, and the guest writes again', async () => {
    const froze = await virsh('domfsfreeze', 'guest');
    const thawed = await virsh('domfsthaw', 'guest');
    const written = await guest.shell.run('touch /written && echo yes');
    await guest.shell.run('systemctl stop concierge && systemctl unmask --quiet --runtime qemu-guest-agent && systemctl start qemu-guest-agent');
    await guest.shell.run('until ls -l /proc/$(systemctl show -P MainPID qemu-guest-agent)/fd | grep -q vport; do sleep 0.1; done');

    expect(await virsh('domfsfreeze', 'guest')).toBe(froze);
    expect(await virsh('domfsthaw', 'guest')).toBe(thawed);
    expect(froze).toMatch(/^Froze [12] filesystem/);
    expect(written).toBe('yes');
  });
});
