// SPDX-License-Identifier: Apache-2.0
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { linuxDiagnosis } from '../../../adapters/linux/diagnosis.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'diagnosis-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string): string {
  const whole = join(root, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, text);
  return whole;
}

function link(path: string, target: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  symlinkSync(target, join(root, path));
}

async function findings(guardian = join(root, 'guardian')): Promise<Readonly<Record<string, string>>> {
  const all = await linuxDiagnosis(root, () => guardian).examine();
  return Object.fromEntries(all.map(({ subject, verdict, detail }) => [subject, `${verdict}: ${detail}`]));
}

describe('what Linux has to have', () => {
  it('is all there on a machine that is well', async () => {
    put('proc/self/status', 'Name:\tnode\nCapEff:\t000001ffffffffff\n');
    link('proc/self/ns/mnt', 'mnt:[4026531841]');
    link('proc/1/ns/mnt', 'mnt:[4026531841]');
    put('usr/sbin/chpasswd', '');
    put('sbin/shutdown', '');
    put('sys/power/state', 'freeze mem disk\n');
    chmodSync(put('guardian', ''), 0o755);

    expect(await findings()).toEqual({
      'rights': 'good: all that the commands need',
      'mount namespace': 'good: the machine’s own',
      'freeze guardian': `good: ${root}/guardian`,
      'keeper': 'good: none: the agent is all there is, and never sleeps',
      'guest-set-user-password': 'good: by /usr/sbin/chpasswd',
      'guest-shutdown': 'good: by /sbin/shutdown',
      'guest-suspend': 'good: the kernel knows ram and disk',
      'guest-ssh-add-authorized-keys': 'good: in .ssh/authorized_keys of a user',
    });
  });

  it('is named where it is missing', async () => {
    put('proc/self/status', 'CapEff:\t0000000000004002\n');
    link('proc/self/ns/mnt', 'mnt:[4026532999]');
    link('proc/1/ns/mnt', 'mnt:[4026531841]');
    put('guardian', '');

    expect(await findings()).toMatchObject({
      'rights': 'bad: without CAP_SYS_ADMIN (freezing and trimming), CAP_SYS_BOOT (shutting down), CAP_SYS_TIME (setting the clock)',
      'mount namespace': 'bad: another one than the machine’s: what it has mounted is not what would be frozen',
      'freeze guardian': `bad: ${root}/guardian is missing or no program: no freeze will be made`,
      'guest-set-user-password': 'warning: needs /usr/sbin/chpasswd or /usr/bin/chpasswd, and there is none',
      'guest-shutdown': 'warning: needs /sbin/poweroff or /sbin/shutdown or /usr/bin/systemctl or /bin/systemctl or /usr/sbin/poweroff or /usr/bin/poweroff, and there is none',
      'guest-suspend': 'good: the kernel has no way to sleep',
    });
  });

  it('is named where sshd takes keys from elsewhere', async () => {
    put('etc/ssh/sshd_config', 'AuthorizedKeysFile /etc/ssh/keys/%u\n');

    expect(await findings()).toMatchObject({
      'guest-ssh-add-authorized-keys':
        'warning: in .ssh/authorized_keys of a user, but sshd does not look there: /etc/ssh/sshd_config has AuthorizedKeysFile /etc/ssh/keys/%u',
    });
  });

  it('is a finding too where it cannot be told', async () => {
    expect(await findings()).toMatchObject({ rights: expect.stringMatching(/^warning: .*\/proc is missing$/), 'mount namespace': expect.stringMatching(/^warning/) });
  });
});
