// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Policy } from '../../core/policy/policy.ts';
import { profiles } from '../../core/policy/profiles.ts';
import type { CommandSchema } from '../../core/schema/command.ts';
import { commands } from '../../core/schema/index.ts';
import { buildPackages, hasBuild, installed } from '../package-linux/lib/packages.ts';
import { askScript, type Answer, type Asked } from './lib/ask.ts';
import { Box, missingForBox } from './lib/box.ts';

const missing = hasBuild() ? missingForBox() || (installed('mkfs.ext4') === undefined ? 'mkfs.ext4' : '') : 'npm run build';
const needs = missing === '' ? '' : ` (needs ${missing})`;

const socket = '/run/agent.sock';
const dropIns = '/etc/systemd/system/concierge-ga.service.d';
const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGDCcQdUVuhkUpCV8yZn6SCGyLFQ7qYvWYBnXr7s5J0t somebody';

/** Exposure as `systemd-analyze security` counts it: of the unit alone 9.5. */
const bounds = { observe: 2.5, backup: 4, manage: 6 } as const;
type Profile = keyof typeof bounds;

/** What has to be given to each command that takes something. */
const given: Readonly<Record<string, object>> = {
  'guest-sync': { id: 1 },
  'guest-sync-delimited': { id: 1 },
  'guest-fsfreeze-freeze-list': { mountpoints: ['/data'] },
  'guest-set-user-password': { username: 'bob', password: Buffer.from('a new one').toString('base64'), crypted: false },
  'guest-ssh-get-authorized-keys': { username: 'bob' },
  'guest-ssh-add-authorized-keys': { username: 'bob', keys: [key] },
  'guest-ssh-remove-authorized-keys': { username: 'bob', keys: [key] },
  'guest-set-vcpus': { vcpus: [{ 'logical-id': 0, online: true }] },
  'guest-set-memory-blocks': { 'mem-blks': [] },
};

/** Clock, memory and power are those of the machine; `guest-shutdown` comes last. */
const notHere = ['guest-set-time', 'guest-suspend-disk', 'guest-suspend-ram', 'guest-suspend-hybrid', 'guest-shutdown'];

const allowed = (profile: Profile): readonly string[] => {
  const policy = new Policy({ allow: [], block: [] }, { rules: profiles[profile], otherwise: 'allow' });
  return (commands as readonly CommandSchema[]).filter((schema) => policy.outlook(schema, false, '').kind === 'allowed' && !notHere.includes(schema.name)).map(({ name }) => name);
};

/** The thaw at once behind each freeze. */
const requestsOf = (names: readonly string[]): readonly Asked[] =>
  names.filter((name) => name !== 'guest-fsfreeze-thaw').flatMap((execute) => [
    { execute, ...(given[execute] === undefined ? {} : { arguments: given[execute] }) },
    ...(execute.startsWith('guest-fsfreeze-freeze') ? [{ execute: 'guest-fsfreeze-status' }, { execute: 'guest-fsfreeze-thaw' }] : []),
  ]);

/** What may differ from one moment to the next is left out. */
const shape = ({ execute }: Asked, answer: Answer): string => ('error' in answer ? `error ${answer.error.desc}` : typeof answer.return === 'string' || (typeof answer.return === 'number' && execute !== 'guest-get-time') ? String(answer.return) : 'an answer');

describe.skipIf(needs !== '')(`the sandbox of each profile, in a booted systemd${needs}`, () => {
  let box: Box;
  const ask = (requests: readonly Asked[]): readonly Answer[] =>
    box.must(askScript(socket, requests)).split('\n').map((line) => JSON.parse(line.replace(/^\ufffd/, '')) as Answer);
  const results = (names: readonly string[]): Readonly<Record<string, string>> => {
    const requests = requestsOf(names);
    const answers = ask(requests);
    return Object.fromEntries(requests.map((request, index) => [`${index} ${request.execute}`, shape(request, answers[index] as Answer)]));
  };
  const mountPoints = (): readonly string[] => {
    const [answer] = ask([{ execute: 'guest-get-fsinfo' }]);
    return ((answer as { return: readonly { mountpoint: string }[] }).return).map(({ mountpoint }) => mountpoint).toSorted();
  };
  const use = (profile: Profile | undefined, ...more: readonly string[]): void => {
    const files = [...(profile === undefined ? [] : [`profile-${profile}.conf`]), ...more];
    box.must(`rm -rf ${dropIns} && mkdir -p ${dropIns}
      ${files.map((file) => `cp /usr/share/concierge-ga/systemd/${file} ${dropIns}/`).join('\n')}
      systemctl daemon-reload && systemctl reset-failed concierge-ga; systemctl restart concierge-ga`);
  };

  beforeAll(async () => {
    const packages = buildPackages(['deb'], 'systemd');
    const scratch = mkdtempSync(join(tmpdir(), 'concierge-sandbox-'));
    try {
      const image = join(scratch, 'image');
      execFileSync('mkfs.ext4', ['-q', image, '16M']);
      box = await Box.boot('trixie');
      box.write('/root/image', readFileSync(image));
    } finally {
      rmSync(scratch, { recursive: true });
    }
    // The box has no device of a disk: that of a file in its memory is made for it, and is gone with the last mount.
    box.must(`mknod -m 600 /dev/loop-control c 10 237
      for i in $(seq 50); do
        device=$(losetup -f | cut -d ' ' -f 1) && { [ -e "$device" ] || mknod -m 600 "$device" b 7 "\${device#/dev/loop}"; } && losetup "$device" /root/image && break
        sleep 0.1
      done
      mkdir -p /data /later && mount "$device" /data && losetup -d "$device" && echo "$device" >/root/device
      useradd --create-home bob && install -d -o bob -g bob -m 700 ~bob/.ssh && install -o bob -g bob -m 600 /dev/null ~bob/.ssh/authorized_keys`);
    box.write('/etc/concierge-ga/concierge-ga.conf', `[general]\nmethod=unix-listen\npath=${socket}\nstatedir=/run/concierge-ga\n[concierge]\nsleep-after=1\n`);
    box.plugPort('qemu-guest-agent.service');
    box.must(`dpkg -i ${box.bring(packages['deb'] ?? '')} 2>&1`);
  });
  afterAll(async () => {
    box?.run('fsfreeze -u /data; umount /data /later');
    await box?.shutDown();
  });

  it.each(Object.entries(bounds) as readonly (readonly [Profile, number])[])('of %s is at most %d, and all its commands do what they do without it', (profile, bound) => {
    const names = allowed(profile);
    use(undefined);
    const without = results(names);
    const places = mountPoints();

    use(profile);

    expect(results(names)).toEqual(without);
    expect(mountPoints()).toEqual(places);
    const exposure = Number(/level for \S+: ([\d.]+)/.exec(box.must('systemd-analyze --no-pager security concierge-ga | tail -1'))?.[1]);
    console.log(`systemd-analyze security of ${profile}: ${exposure}, ${names.length} commands`);
    expect(exposure).toBeLessThanOrEqual(bound);
    expect(Object.values(without).filter((answer) => !answer.startsWith('error')).length).toBeGreaterThan(names.length / 2);
  });

  it.each(Object.keys(bounds) as readonly Profile[])('of %s does the same with a keeper, which is inside of it: awake, from its sleep, and after a death', (profile) => {
    const names = allowed(profile);
    use(profile);
    const without = results(names);

    use(profile, 'keeper.conf');

    const keeper = box.must('systemctl show -P MainPID concierge-ga');
    const agent = `cat /proc/${keeper}/task/${keeper}/children`;
    const until = (condition: string): string => box.must(`for i in $(seq 900); do if ${condition}; then exit 0; fi; sleep 0.1; done; exit 1`);
    expect(box.must(`readlink /proc/${keeper}/exe`)).toBe('/usr/lib/concierge-ga/dist/concierge-keeper');
    expect(box.must(`grep -E '^(Seccomp|NoNewPrivs):' /proc/${keeper}/status | tr -d '\\t'`)).toBe('NoNewPrivs:1\nSeccomp:2');
    expect(results(names)).toEqual(without);
    until(`[ -z "$(${agent})" ]`);
    expect(results(names)).toEqual(without);
    box.must(`kill -KILL $(${agent}) || true; systemctl reload concierge-ga`);
    expect(results(names)).toEqual(without);
    expect(ask([{ execute: 'guest-exec', arguments: { path: '/bin/true' } }])[0]).toMatchObject({ error: { desc: expect.stringContaining(`the profile ${profile}`) } });
    expect(box.must('systemctl show -P MainPID concierge-ga')).toBe(keeper);
  });

  it('is not ended by a reload where another drop-in has started the agent without its keeper', () => {
    box.must(`rm -rf ${dropIns} && mkdir -p ${dropIns} && cp /usr/share/concierge-ga/systemd/keeper.conf ${dropIns}/
      printf '[Service]\\nExecStart=\\nExecStart=/usr/lib/concierge-ga/bin/concierge-ga\\n' >${dropIns}/mine.conf
      systemctl daemon-reload && systemctl restart concierge-ga`);
    const pid = box.must('systemctl show -P MainPID concierge-ga');

    box.must('systemctl reload concierge-ga');

    expect(ask([{ execute: 'guest-ping' }])).toEqual([{ return: {} }]);
    expect(box.must('systemctl show -P MainPID concierge-ga')).toBe(pid);
  });

  it('of backup and manage freezes and thaws a file system indeed', () => {
    for (const profile of ['backup', 'manage'] as const) {
      use(profile);
      const frozen = ask([{ execute: 'guest-fsfreeze-freeze' }]);
      const again = box.run('fsfreeze --freeze /data');
      const thawed = ask([{ execute: 'guest-fsfreeze-thaw' }, { execute: '__org.concierge_fsfreeze-report' }]);

      expect(frozen).toEqual([{ return: 1 }]);
      // EBUSY: it is frozen already.
      expect(again).toMatchObject({ status: 1, text: expect.stringContaining('busy') });
      expect(thawed[0]).toEqual({ return: 1 });
      box.must('touch /data/x');
    }
  });

  it('of backup and manage have the mounts of the machine, and no copy of them', () => {
    for (const profile of ['backup', 'manage'] as const) {
      use(profile);
      expect(box.must('readlink "/proc/$(systemctl show -P MainPID concierge-ga)/ns/mnt"')).toBe(box.must('readlink /proc/1/ns/mnt'));
    }
  });

  it('of backup lets hooks act as another user, and what such a hook needs, with hooks.conf alone', () => {
    box.write('/etc/concierge-ga/fsfreeze-hook.d/50-bob', '#!/bin/sh\n[ "$1" != freeze ] || runuser -u bob -- id -un >/run/hooked\n');
    box.must('chmod 755 /etc/concierge-ga/fsfreeze-hook.d/50-bob');
    use('backup');
    const [without] = ask([{ execute: 'guest-fsfreeze-freeze' }, { execute: 'guest-fsfreeze-thaw' }]);

    box.must(`cp /usr/share/concierge-ga/systemd/hooks.conf ${dropIns}/profile-hooks.conf && systemctl daemon-reload && systemctl restart concierge-ga`);
    const [withIt] = ask([{ execute: 'guest-fsfreeze-freeze' }, { execute: 'guest-fsfreeze-thaw' }]);

    expect(without).toMatchObject({ error: { desc: expect.stringContaining('50-bob') } });
    expect(withIt).toEqual({ return: 1 });
    expect(box.must('cat /run/hooked; rm /etc/concierge-ga/fsfreeze-hook.d/50-bob')).toBe('bob');
  });

  it('of observe sees what is mounted and unmounted later', () => {
    // What systemd does at the start of a machine, and not in a container, which the box is to it.
    box.must('mount --make-rshared /');
    use('observe');
    expect(mountPoints()).toContain('/data');

    box.must('mount "$(cat /root/device)" /later && umount /data');

    expect(mountPoints()).toContain('/later');
    expect(mountPoints()).not.toContain('/data');
  });

  it('refuses what the profile does not have, whatever the configuration says', () => {
    for (const profile of ['observe', 'backup'] as const) {
      use(profile);
      const [answer] = ask([{ execute: 'guest-exec', arguments: { path: '/bin/true' } }]);
      expect(answer).toMatchObject({ error: { class: 'CommandNotFound', desc: expect.stringContaining(`the profile ${profile}`) } });
    }
  });

  it('is reloaded by systemctl, reads the rules anew, and stays the same process', () => {
    use('manage');
    const pid = box.must('systemctl show -P MainPID concierge-ga');
    box.write('/etc/concierge-ga/policy.d/a.yaml', 'rules:\n  - { name: no-time, effect: refuse, commands: [guest-get-time] }\n');

    box.must('systemctl reload concierge-ga');

    box.must(`for i in $(seq 300); do ${askScript(socket, [{ execute: 'guest-get-time' }])} | grep -q disabled && exit 0; sleep 0.1; done; exit 1`);
    expect(box.must('systemctl show -P MainPID concierge-ga')).toBe(pid);
  });

  it('of manage shuts the guest down', () => {
    use('manage');

    box.run(askScript(socket, [{ execute: 'guest-shutdown', arguments: { mode: 'powerdown' } }]));

    box.must('for i in $(seq 300); do [ "$(systemctl is-system-running)" = stopping ] && exit 0; sleep 0.1; done; exit 1');
  });
});
