// SPDX-License-Identifier: Apache-2.0
/** The examples for hosts: that they say what they mean, with programs that only write down how they were called. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { guestsIn } from '../../../../client/cli/guest-list.ts';

const examples = resolve(import.meta.dirname, '../../../../examples/host');
let directory: string;

/** A program that writes down its words; `concierge-ctl` runs what stands behind `--`, as `frozen` does. */
function program(name: string, script: string): void {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\necho "${name} $*" >>${directory}/log\n${script}\n`);
  chmodSync(path, 0o755);
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-examples-'));
  program('concierge-ctl', 'while [ "$1" != -- ]; do shift; done; shift; "$@"');
  for (const name of ['zfs', 'lvcreate']) program(name, '');
  program('virsh', `case "$*" in *domblklist*) echo "vda ${directory}/disk.qcow2" ;; esac`);
  program('qemu-img', 'for last; do :; done; echo copy >"$last"');
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const run = (name: string, ...words: readonly string[]): number | null =>
  spawnSync(join(examples, name), words, { env: { PATH: `${directory}:/usr/bin:/bin` }, stdio: ['ignore', 'ignore', 'pipe'] }).status;
const log = (): readonly string[] => (existsSync(join(directory, 'log')) ? readFileSync(join(directory, 'log'), 'utf8').trim().split('\n') : []);

describe('the examples for hosts', () => {
  it.each(readdirSync(examples).filter((name) => name.endsWith('.sh')))('%s is a script of sh', (name) => {
    execFileSync('sh', ['-n', join(examples, name)]);
  });

  it('freeze a domain of libvirt for its snapshot alone, and put the disk back', () => {
    expect(run('backup-libvirt.sh', 'vm7', join(directory, 'copy.qcow2'))).toBe(0);

    expect(log()[1]).toMatch(/^concierge-ctl --libvirt vm7 --connect qemu:\/\/\/system frozen --timeout 60 -- virsh .*snapshot-create-as vm7 backup --disk-only/);
    expect(log().at(-1)).toContain('blockcommit vm7 vda --active --pivot');
    expect(existsSync(join(directory, 'copy.qcow2'))).toBe(true);
  });

  it('put the disk back and fail when the copy failed, and do nothing when the freeze did', () => {
    program('qemu-img', 'exit 5');
    expect(run('backup-libvirt.sh', 'vm7', join(directory, 'copy.qcow2'))).toBe(5);
    expect(log().at(-1)).toContain('blockcommit');
    expect(existsSync(join(directory, 'copy.qcow2'))).toBe(false);

    program('concierge-ctl', 'exit 125');
    expect(run('backup-libvirt.sh', 'vm7', join(directory, 'copy.qcow2'))).toBe(125);
    expect(log().at(-1)).toMatch(/^concierge-ctl/);
  });

  it('take all snapshots of a guest of Proxmox VE at once', () => {
    expect(run('backup-proxmox.sh', 'pve1/104', 'tank/vm-104-disk-0', 'tank/vm-104-disk-1')).toBe(0);

    expect(log()[0]).toMatch(/^concierge-ctl --proxmox pve1\/104 frozen --timeout 30 -- zfs snapshot tank\/vm-104-disk-0@backup-\d{8}T\d{6}Z tank\/vm-104-disk-1@backup-/);
    expect(run('backup-proxmox.sh', 'pve1/104')).toBe(2);
  });

  it('take an LVM snapshot of a guest of plain QEMU', () => {
    expect(run('backup-socket.sh', '/run/vm.sock', 'vg/vm')).toBe(0);

    expect(log()[0]).toMatch(/^concierge-ctl --socket \/run\/vm\.sock frozen --timeout 60 -- lvcreate --snapshot --size 5G --name vm-backup-\S+ vg\/vm$/);
  });

  it('have a list of guests that is one', () => {
    expect([...guestsIn(readFileSync(join(examples, 'guests.conf'), 'utf8'), 'guests.conf').keys()]).toEqual(['web1', 'db', 'build', 'kubevirt']);
  });
});
