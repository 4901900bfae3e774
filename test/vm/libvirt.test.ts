// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentUnit } from './lab/agent-unit.ts';
import { explainFailures } from './lab/explain.ts';
import { readGuestInfo, sections } from './lab/guest-info.ts';
import { installPackages, run } from './lab/host.ts';
import { lacking } from './lab/lacking.ts';
import { listed, operations, rowsOfDifferences, su } from './lab/host-operations.ts';
import { Libvirt, type Domain } from './lab/libvirt.ts';
import { login } from './lab/login.ts';
import { BOOT_WITHIN } from './lab/machine.ts';
import { observe } from './lab/observed.ts';
import { agentPayload } from './lab/payload.ts';

const missing = lacking();

describe.skipIf(missing !== undefined)(`our agent under libvirt${missing === undefined ? '' : ` (${missing})`}`, () => {
  let libvirt: Libvirt;
  let guest: Domain;
  let directory: string;
  let agent: AgentUnit;

  /** libvirt itself waits five seconds for an answer to its first request, which a busy machine's emulated guest may miss. */
  async function virsh(...args: readonly string[]): Promise<string> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await libvirt.virsh(...args);
      } catch (error) {
        if (attempt > 10 || !String(error).includes('not available for now')) throw error;
        console.warn(`virsh ${args.join(' ')}: libvirt did not wait long enough, once more`);
      }
    }
  }

  const agentCommand = async (command: string): Promise<unknown> =>
    (JSON.parse(await virsh('qemu-agent-command', '--timeout', '240', 'guest', `{"execute":"${command}"}`)) as { return: unknown }).return;

  async function startOurs(): Promise<void> {
    await guest.shell.run('mkdir -p /payload && (mountpoint -q /payload || mount -o ro /dev/disk/by-id/virtio-payload /payload)');
    await guest.shell.run('systemctl mask --quiet --runtime --now qemu-guest-agent');
    agent = await AgentUnit.start(guest.shell, 'concierge', '--retry-path');
    await answerOnceConnected();
  }

  async function startReference(): Promise<void> {
    await agent.stop();
    await guest.shell.run('systemctl unmask --quiet --runtime qemu-guest-agent && systemctl start qemu-guest-agent');
    await answerOnceConnected();
  }

  /** Waits until libvirt says the machine is in the state; `gone` where it has no such machine. */
  async function reaches(state: string): Promise<void> {
    const now = (): Promise<string> =>
      virsh('domstate', 'guest').catch((error: unknown) => {
        if (/failed to get domain|Domain not found/.test(String(error))) return 'gone';
        throw error;
      });
    for (let seen = await now(), attempt = 0; seen !== state; seen = await now(), attempt += 1) {
      if (attempt > 400) throw new Error(`the machine is still ${seen}: ${guest.console().slice(-2000)}`);
      await wait(1000);
    }
  }

  /** libvirt is told some time after the guest has opened the port that it is open. */
  async function answerOnceConnected(): Promise<unknown> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await agentCommand('guest-ping');
      } catch (error) {
        if (attempt > 400 || !String(error).includes('not connected')) throw error;
        await wait(500);
      }
    }
  }

  beforeAll(async () => {
    await installPackages();
    directory = mkdtempSync(join(tmpdir(), 'concierge-libvirt-test-'));
    libvirt = await Libvirt.start();
    guest = await libvirt.domain('guest', { payload: await agentPayload() });
    await startOurs();
    await guest.shell.run('useradd --create-home --shell /bin/bash tester');
    await guest.shell.run('modprobe xfs && mkfs.xfs -q /dev/disk/by-id/virtio-data && mkdir -p /data && mount /dev/disk/by-id/virtio-data /data');
    // Somebody to be found in utmp(5).
    await guest.shell.run(login('tester'));
  });
  explainFailures(() => guest);
  afterAll(async () => {
    await libvirt?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  it('is reached by qemu-agent-command', async () => {
    expect(await agentCommand('guest-ping')).toEqual({});
  });

  it('tells libvirt when it stops and when it is there again', async () => {
    const stopping = guest.events.count;
    await agent.stop();
    await guest.events.next(/agent-lifecycle.*state: 'disconnected'/, stopping);
    const refused = await virsh('domhostname', 'guest', '--source', 'agent').catch(String);

    const starting = guest.events.count;
    agent = await AgentUnit.start(guest.shell, 'concierge', '--retry-path');
    await guest.events.next(/agent-lifecycle.*state: 'connected'/, starting);

    expect(refused).toContain('agent is not connected');
    expect(await virsh('domhostname', 'guest', '--source', 'agent')).toBe('guest');
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

    const seen = await guest.shell.run("awk '$1 ~ \"^/dev/\" { sub(\"/dev/\", \"\", $1); print $2, $1, $3, $1 }' /proc/self/mounts");
    expect(list.split('\n').slice(2).map((line) => line.trim().split(/\s+/).join(' '))).toEqual(seen.split('\n'));
  });

  describe('by guestinfo', () => {
    it.each(Object.entries(sections))('tells of %s what its own shell sees', async (section, look) => {
      const told = readGuestInfo(await virsh('guestinfo', 'guest', `--${section}`));

      expect(told).toEqual(await look((script) => guest.shell.run(script)));
    });

    it('tells how busy it is, where libvirt asks for that', async () => {
      const told = readGuestInfo(await virsh('guestinfo', 'guest'));

      const loads = Object.entries(told).filter(([name]) => name.startsWith('load.'));
      observe('what `virsh guestinfo` asks for', loads.length > 0 ? 'load too' : 'no load');
      expect(loads.every(([, value]) => Number(value) >= 0)).toBe(true);
    });

    it('tells how full its file systems are', async () => {
      const told = readGuestInfo(await virsh('guestinfo', 'guest', '--filesystem'));

      const seen = (await guest.shell.run("df -B1 --output=target,used,avail / /data /payload | tail -n +2")).split('\n').map((line) => line.split(/\s+/));
      for (const [target, used, available] of seen) {
        const name = Object.keys(told).find((key) => /^fs\.\d+\.mountpoint$/.test(key) && told[key] === target)?.replace('mountpoint', '') ?? '';
        // The guest goes on writing.
        expect(Math.abs(Number(told[`${name}used-bytes`]) - Number(used))).toBeLessThan(32 * 1024 * 1024);
        expect(Math.abs(Number(told[`${name}total-bytes`]) - Number(used) - Number(available))).toBeLessThan(32 * 1024 * 1024);
      }
    });
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

  it('sets a password that the user then logs in with', async () => {    await virsh('set-user-password', 'guest', 'tester', 'a new: pass word');

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
    await guest.shell.run('dd if=/dev/urandom of=/data/large bs=1M count=100 conv=fsync status=none && rm /data/large && sync -f /data');
    const before = allocated();

    // xfs gives the blocks of a deleted file up in the background, some seconds later where there is much to do.
    const afterTrim = async (): Promise<number> => {
      await virsh('domfstrim', 'guest');
      return allocated();
    };

    expect(before).toBeGreaterThan(100 * 1024 * 1024);
    await expect.poll(afterTrim, { timeout: 120_000, interval: 1000 }).toBeLessThan(before - 90 * 1024 * 1024);
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
    expect(await agentCommand('guest-fsfreeze-status')).toBe('thawed');
  });

  it('freezes the named file system alone, and the others are written to', async () => {
    const froze = await virsh('domfsfreeze', 'guest', '--mountpoint', '/data');
    const status = await agentCommand('guest-fsfreeze-status');
    await guest.shell.run('systemd-run --quiet --unit=writer touch /data/late && touch /early');
    // The kernel holds it until the thaw.
    await guest.shell.run('until grep -q "^State:.*D" /proc/$(systemctl show -P MainPID writer)/status; do sleep 0.1; done');
    const thawed = await virsh('domfsthaw', 'guest');
    await guest.shell.run('until [ -e /data/late ]; do sleep 0.1; done');

    expect(froze).toBe('Froze 1 filesystem(s)');
    expect(status).toBe('frozen');
    expect(thawed).toBe('Thawed 1 filesystem(s)');
  });

  it('is frozen while a backup begins, whose root file system is clean, and a writer goes on', async () => {
    const target = join(directory, 'backup.qcow2');
    const raw = join(directory, 'backup.raw');
    writeFileSync(
      join(directory, 'backup.xml'),
      `<domainbackup mode='push'><disks>
        <disk name='vda' backup='yes' type='file'><target file='${target}'/><driver type='qcow2'/></disk>
        <disk name='vdb' backup='no'/><disk name='vdc' backup='no'/>
      </disks></domainbackup>`,
    );
    await guest.shell.run('systemd-run --quiet --unit=scribe bash -c "while true; do echo line >>/written-all-the-time; sync /written-all-the-time; done"');
    await guest.shell.run('until [ -s /written-all-the-time ]; do sleep 0.1; done');
    const from = guest.events.count;

    await virsh('domfsfreeze', 'guest');
    await virsh('backup-begin', 'guest', join(directory, 'backup.xml'));
    await virsh('domfsthaw', 'guest');
    await guest.events.next(/job-completed/, from);
    const job = await virsh('domjobinfo', 'guest', '--completed');
    const size = 'stat -c %s /written-all-the-time';
    const after = await guest.shell.run(size);
    await guest.shell.run(`until [ $(${size}) -gt ${after} ]; do sleep 0.1; done; systemctl stop scribe`);
    await run('qemu-img', ['convert', '-O', 'raw', target, raw]);
    const header = await run('dumpe2fs', ['-h', raw]);
    const check = await run('e2fsck', ['-fn', raw]);
    const copied = Number(/Size: (\d+)/.exec(await run('debugfs', ['-R', 'stat /written-all-the-time', raw]))?.[1]);

    expect(job).toMatch(/Job type: +Completed\s+Operation: +Backup/);
    expect(header).not.toContain('needs_recovery');
    expect(header).toMatch(/Filesystem state:\s+clean/);
    expect(check).toMatch(/^.*: \d+\/\d+ files .*, \d+\/\d+ blocks$/m);
    expect(copied).toBeGreaterThan(0);
    expect(copied).toBeLessThan(Number(after));
    rmSync(raw);
    rmSync(target);
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

  describe('beside the reference, operation by operation', () => {
    const results: { readonly ours: Record<string, unknown>; readonly reference: Record<string, unknown> } = { ours: {}, reference: {} };

    beforeAll(async () => {
      const hands = { virsh, shell: (script: string) => guest.shell.run(script), agentCommand };
      for (const [name, operation] of Object.entries(operations)) results.ours[name] = await operation(hands).catch(String);
      await startReference();
      for (const [name, operation] of Object.entries(operations)) results.reference[name] = await operation(hands).catch(String);
    });
    afterAll(async () => {
      await guest.shell.run('systemctl stop qemu-guest-agent');
      await startOurs();
    });

    it.each(Object.keys(operations))('%s', (name) => {
      const row = listed[name];
      if (row !== undefined) expect(rowsOfDifferences()).toContain(row);

      if (row === undefined) expect(results.ours[name]).toEqual(results.reference[name]);
      else expect(results.ours[name]).not.toEqual(results.reference[name]);
    });
  });

  // The rest ends the run of a system: last.
  it('reboots', async () => {
    const before = await guest.shell.run('cat /proc/sys/kernel/random/boot_id');

    await virsh('reboot', 'guest', '--mode', 'agent');

    await guest.shell.rebooted(BOOT_WITHIN);
    expect(await guest.shell.run('cat /proc/sys/kernel/random/boot_id')).not.toBe(before);
  });

  it('is suspended to memory and answers after it is woken', async () => {
    await startOurs();

    await virsh('dompmsuspend', 'guest', 'mem');
    await reaches('pmsuspended');
    await virsh('dompmwakeup', 'guest');
    await reaches('running');

    expect(await answerOnceConnected()).toEqual({});
  });

  it('shuts down', async () => {
    await answerOnceConnected();

    await virsh('shutdown', 'guest', '--mode', 'agent');

    await reaches('gone');
    expect(guest.console()).toContain('reboot: Power down');
  });
});
