import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { installPackages, missingForLab, run } from './lab/host.ts';
import { Libvirt, type Domain } from './lab/libvirt.ts';
import { AGENT, agentPayload } from './lab/payload.ts';

const missing = missingForLab();

describe.skipIf(missing !== undefined)(`our agent under libvirt${missing === undefined ? '' : ` (${missing})`}`, () => {
  let libvirt: Libvirt;
  let guest: Domain;
  let directory: string;
  const virsh = (...args: readonly string[]): Promise<string> => libvirt.virsh(...args);

  async function startOurs(): Promise<void> {
    await guest.shell.run('mkdir -p /payload && (mountpoint -q /payload || mount -o ro /dev/disk/by-id/virtio-payload /payload)');
    await guest.shell.run('systemctl mask --quiet --runtime --now qemu-guest-agent');
    await guest.shell.run(`systemctl is-active --quiet concierge || systemd-run --quiet --unit=concierge ${AGENT} -t /run/concierge --retry-path`);
    // libvirt connects when the guest opens the port.
    await guest.shell.run(`timeout 50 bash -c 'until ls -l /proc/$(systemctl show -P MainPID concierge)/fd | grep -q vport; do sleep 0.1; done'`);
  }

  /** Waits until libvirt says the machine is in the state; `gone` where it has no such machine. */
  async function reaches(state: string): Promise<void> {
    const now = (): Promise<string> =>
      virsh('domstate', 'guest').catch((error: unknown) => {
        if (/failed to get domain|Domain not found/.test(String(error))) return 'gone';
        throw error;
      });
    for (let seen = await now(), attempt = 0; seen !== state; seen = await now(), attempt += 1) {
      if (attempt > 120) throw new Error(`the machine is still ${seen}: ${guest.console().slice(-2000)}`);
      await wait(1000);
    }
  }

  /** The port is reset with its device, by a wake-up as well: libvirt is told some time after that it is open. */
  async function answerOnceConnected(): Promise<string> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await virsh('qemu-agent-command', '--timeout', '60', 'guest', '{"execute":"guest-ping"}');
      } catch (error) {
        if (attempt > 60 || !String(error).includes('not connected')) throw error;
        await wait(1000);
      }
    }
  }

  beforeAll(async () => {
    await installPackages();
    directory = mkdtempSync(join(tmpdir(), 'concierge-libvirt-test-'));
    libvirt = await Libvirt.start();
    guest = await libvirt.domain('guest', { payload: await agentPayload() });
    await startOurs();
  });
  afterAll(async () => {
    await libvirt?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

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

  it('has a guest processor taken offline and put online again', async () => {
    await virsh('setvcpus', 'guest', '1', '--guest');
    const one = await guest.shell.run('cat /sys/devices/system/cpu/online');
    await virsh('setvcpus', 'guest', '2', '--guest');

    expect(one).toBe('0');
    expect(await guest.shell.run('cat /sys/devices/system/cpu/online')).toBe('0-1');
  });

  it('sets a password that the user then logs in with', async () => {
    const su = (password: string): string => `echo '${password}' | timeout 30 runuser -u nobody -- su tester -c 'id -un'`;
    await guest.shell.run('useradd --create-home --shell /bin/bash tester');

    await virsh('set-user-password', 'guest', 'tester', 'a new: pass word');

    expect(await guest.shell.run(su('a new: pass word'))).toMatch(/tester$/);
    expect((await guest.shell.try(su('another'))).status).toBe(1);
  });

  it('stores and lists the keys of a user', async () => {
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuestAgentTestKeyGuestAgentTestKeyGuestAge guest@test';
    const file = join(directory, 'keys');
    writeFileSync(file, `${key}\n`);

    await virsh('set-user-sshkeys', 'guest', 'tester', '--file', file);

    expect(await virsh('get-user-sshkeys', 'guest', 'tester')).toBe(key);
    expect(await guest.shell.run('stat -c "%U %a %n" ~tester/.ssh ~tester/.ssh/authorized_keys')).toBe(
      'tester 700 /home/tester/.ssh\ntester 600 /home/tester/.ssh/authorized_keys',
    );
    expect(await guest.shell.run('cat ~tester/.ssh/authorized_keys')).toContain(key);
  });

  it('gives the host its blocks back when it trims', async () => {
    const allocated = (): number => statSync(guest.data).blocks * 512;
    await guest.shell.run('modprobe xfs && mkfs.xfs -q /dev/disk/by-id/virtio-data && mkdir -p /data && mount /dev/disk/by-id/virtio-data /data');
    await guest.shell.run('dd if=/dev/urandom of=/data/large bs=1M count=100 conv=fsync status=none && rm /data/large && sync -f /data');
    const before = allocated();

    await virsh('domfstrim', 'guest');

    expect(before).toBeGreaterThan(100 * 1024 * 1024);
    expect(allocated()).toBeLessThan(before - 90 * 1024 * 1024);
  });

  it('freezes for a snapshot, whose root file system needs no recovery, and goes on', async () => {
    const flags = async (disk: string): Promise<string> => {
      await run('qemu-img', ['convert', '-U', '-O', 'raw', disk, join(directory, 'root.raw')]);
      return run('dumpe2fs', ['-h', join(directory, 'root.raw')]);
    };
    await guest.shell.run('touch /before-the-snapshot');

    await virsh(
      'snapshot-create-as',
      'guest',
      'quiet',
      '--disk-only',
      '--quiesce',
      '--no-metadata',
      '--diskspec',
      `vda,snapshot=external,file=${join(directory, 'overlay.qcow2')}`,
      '--diskspec',
      'vdb,snapshot=no',
      '--diskspec',
      'vdc,snapshot=no',
    );

    expect(await flags(guest.disk)).not.toContain('needs_recovery');
    expect(await guest.shell.run('touch /after-the-snapshot && echo yes')).toBe('yes');
    expect(await virsh('qemu-agent-command', '--timeout', '60', 'guest', '{"execute":"guest-fsfreeze-status"}')).toContain('thawed');
  });

  it('sets its time', async () => {
    await virsh('domtime', 'guest', '--time', '2000000000');

    const seen = Number(await guest.shell.run('date +%s'));
    expect(seen).toBeGreaterThanOrEqual(2_000_000_000);
    expect(seen).toBeLessThan(2_000_000_000 + 120);
  });

  it('sets its time by its hardware clock', async () => {
    await guest.shell.run('date -s @1900000000');

    await virsh('domtime', 'guest', '--sync');

    const seen = Number(await guest.shell.run('date +%s'));
    expect(seen).toBeGreaterThanOrEqual(2_000_000_000 - 2);
  });

  it('freezes and thaws as many file systems as the reference does, and the guest writes again', async () => {
    const froze = await virsh('domfsfreeze', 'guest');
    const thawed = await virsh('domfsthaw', 'guest');
    const written = await guest.shell.run('touch /written && echo yes');
    await guest.shell.run('systemctl stop concierge && systemctl unmask --quiet --runtime qemu-guest-agent && systemctl start qemu-guest-agent');
    await guest.shell.run('until ls -l /proc/$(systemctl show -P MainPID qemu-guest-agent)/fd | grep -q vport; do sleep 0.1; done');

    expect(await virsh('domfsfreeze', 'guest')).toBe(froze);
    expect(await virsh('domfsthaw', 'guest')).toBe(thawed);
    expect(froze).toMatch(/^Froze [23] filesystem/);
    expect(written).toBe('yes');
  });

  // The rest ends the run of a system: last.
  it('reboots', async () => {
    const before = await guest.shell.run('cat /proc/sys/kernel/random/boot_id; systemctl stop qemu-guest-agent');
    await startOurs();

    await virsh('reboot', 'guest', '--mode', 'agent');

    await guest.shell.rebooted(200_000);
    expect(await guest.shell.run('cat /proc/sys/kernel/random/boot_id')).not.toBe(before);
  });

  it('is suspended to memory and answers after it is woken', async () => {
    await startOurs();

    await virsh('dompmsuspend', 'guest', 'mem');
    await reaches('pmsuspended');
    await virsh('dompmwakeup', 'guest');
    await reaches('running');

    expect(JSON.parse(await answerOnceConnected())).toEqual({ return: {} });
  });

  it('shuts down', async () => {
    await startOurs();
    await answerOnceConnected();

    await virsh('shutdown', 'guest', '--mode', 'agent');

    await reaches('gone');
    expect(guest.console()).toContain('reboot: Power down');
  });
});
