// SPDX-License-Identifier: Apache-2.0
/** What a guardian is asked to thaw, by doubles of /proc and /sys: no test makes a kernel hang. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { suspendedMounts } from '../../../adapters/linux/diagnosis.ts';
import { mountedFileSystems, surveyFileSystems } from '../../../adapters/linux/freeze/freeze-survey.ts';
import { mayExpedite, restoreGracePeriods } from '../../../adapters/linux/freeze/grace-periods.ts';
import { isAsked, stepsFor, stepsForOthers, type Step } from '../../../adapters/linux/freeze/thaw-steps.ts';

let root = '';

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'concierge-steps-'));
  file('/proc/filesystems', '\text4\n\tgfs2\n\txfs\n');
});
afterEach(() => rmSync(root, { recursive: true }));

function file(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** `7:0` at its place in sysfs, with files in its directory. */
function device(id: string, name: string, files: Readonly<Record<string, string>> = {}): void {
  const directory = `/sys/devices/virtual/block/${name}`;
  file(`${directory}/dev`, `${id}\n`);
  file(`${directory}/uevent`, `DEVNAME=${name}\n`);
  for (const [path, text] of Object.entries(files)) file(`${directory}/${path}`, text);
  for (const [place, link] of [['/sys/dev/block', id], ['/sys/block', name]] as const) {
    mkdirSync(join(root, place), { recursive: true });
    symlinkSync(join(root, directory), join(root, place, link));
  }
}

const mounts = (...lines: readonly string[]): void => file('/proc/self/mountinfo', `1 0 252:1 / / rw - ext4 /dev/vda1 rw\n${lines.join('\n')}\n`);
const asked = (steps: readonly Step[]): unknown[] => steps.map((step) => (isAsked(step) ? step.line : step));
const bytes = (path: string): string => Buffer.from(path).toString('hex');

describe('a sweep', () => {
  it('leaves out what the caller has thawed, and every gfs2', () => {
    mounts('2 1 7:0 / /data rw - ext4 /dev/loop0 rw', '3 1 7:1 / /cluster rw - gfs2 /dev/loop1 rw', '4 1 7:2 / /x rw - xfs /dev/loop2 rw');

    expect(asked(stepsForOthers(root, mountedFileSystems(root), new Set(['7:0'])))).toEqual([`sweep 1 ${bytes('/')}`, `sweep 4 ${bytes('/x')}`]);
  });

  it('leaves out what lies on a device that is suspended, however deep, with a sentence that names it', () => {
    device('253:0', 'dm-0', { 'dm/suspended': '1\n', 'dm/name': 'vg-pool\n' });
    device('253:1', 'dm-1', { 'dm/suspended': '0\n', 'dm/name': 'vg-home\n', 'slaves/dm-0/dev': '253:0\n' });
    mounts('2 1 253:1 / /home rw - ext4 /dev/dm-1 rw');

    expect(asked(stepsForOthers(root, mountedFileSystems(root)))).toEqual([
      `sweep 1 ${bytes('/')}`,
      { id: '253:1', mountPoint: '/home', thawed: false, leftOut: '/home is not asked to thaw: dm-0 (vg-pool) is suspended, and it would hang' },
    ]);
  });
});

describe('a file system that this agent froze', () => {
  const target = { id: '7:0', mountPoint: '/data' };
  const steps = () => asked(stepsFor(root, mountedFileSystems(root), [target]));

  it('is asked through the very mount that leads to it', () => {
    mounts('2 1 7:0 / /data rw - ext4 /dev/loop0 rw');

    expect(steps()).toEqual([`sweep 2 ${bytes('/data')}`]);
  });

  it('is a gfs2 as well as any other', () => {
    mounts('2 1 7:0 / /data rw - gfs2 /dev/loop0 rw');

    expect(steps()).toEqual([`sweep 2 ${bytes('/data')}`]);
  });

  it('is uncovered where other mounts cover it', () => {
    mounts('2 1 7:0 / /data rw - ext4 /dev/loop0 rw', '3 2 0:50 / /data rw - tmpfs none rw');

    expect(steps()).toEqual([`uncover 7:0 ${bytes('/data')}`]);
  });

  it('may be frozen still where it is mounted nowhere, unless its device is nobody’s', () => {
    mounts();
    device('7:0', 'loop0');
    const [step] = stepsFor(root, mountedFileSystems(root), [target]);
    if (step === undefined || !isAsked(step)) throw new Error('nothing is asked');

    expect(step.line).toBe(`unclaimed ${bytes('/dev/loop0')}`);
    expect(step.outcome(16, 0n)).toMatchObject({ thawed: false, error: 'failed to thaw /data: it is mounted nowhere any more, and may be frozen still' });
    expect(step.outcome(0, 0n)).toEqual({ ...target, thawed: false });
  });

  it('is gone with its device', () => {
    mounts();

    expect(steps()).toEqual([{ ...target, thawed: false }]);
  });

  it('of several devices may be frozen still where it is mounted nowhere', () => {
    mounts();

    expect(asked(stepsFor(root, mountedFileSystems(root), [{ id: '0:55', mountPoint: '/b' }])))
      .toEqual([{ id: '0:55', mountPoint: '/b', thawed: false, error: 'failed to thaw /b: it is mounted nowhere any more, and may be frozen still' }]);
  });

  it('is an error at once where its device is suspended', () => {
    device('7:0', 'dm-7', { 'dm/suspended': '1\n' });
    mounts('2 1 7:0 / /data rw - ext4 /dev/dm-7 rw');

    expect(steps()).toEqual([{ ...target, thawed: false, error: 'failed to thaw /data: dm-7 is suspended (dmsetup resume)' }]);
  });
});

describe('a survey', () => {
  it('tells of what lies on a suspended device, partitions of one too', () => {
    device('253:0', 'dm-0', { 'dm/suspended': '1\n', 'dm/name': 'multipath\n' });
    file('/sys/devices/virtual/block/dm-0/part1/partition', '1\n');
    symlinkSync(join(root, '/sys/devices/virtual/block/dm-0/part1'), join(root, '/sys/dev/block/259:1'));
    mounts('2 1 259:1 / /data rw - ext4 /dev/mapper/part1 rw');

    expect(surveyFileSystems(root).map(({ candidate }) => candidate.suspended))
      .toEqual([undefined, 'dm-0 (multipath), on which it lies, is suspended, and it would hang (dmsetup resume)']);
  });

  it('is told by doctor too', () => {
    device('253:0', 'dm-0', { 'dm/suspended': '1\n', 'dm/name': 'vg-home\n' });
    mounts('2 1 253:0 / /home rw - ext4 /dev/dm-0 rw');

    expect(suspendedMounts(root)).toMatchObject([{ subject: 'suspended devices', verdict: 'bad', detail: expect.stringContaining('/home: dm-0 (vg-home)') as string }]);
  });
});

describe('the switch of RCU grace periods', () => {
  const path = '/sys/kernel/rcu_expedited';

  it('is used where it is off, and not on machines with processors that are kept from interrupts', () => {
    file(path, '0\n');
    const ordinary = mayExpedite(root);
    file('/sys/devices/system/cpu/nohz_full', '2-7\n');
    const setApart = mayExpedite(root);
    file('/sys/devices/system/cpu/nohz_full', '(null)\n');
    file(path, '1\n');

    expect([ordinary, setApart, mayExpedite(root)]).toEqual([true, false, false]);
  });

  it('is put back only where the marker says that it was changed, and it is on', () => {
    file(path, '1\n');
    restoreGracePeriods(root, { cookie: 'x' });
    const untouched = readFileSync(join(root, path), 'utf8');
    restoreGracePeriods(root, { 'rcu-expedited': '0' });

    expect([untouched, readFileSync(join(root, path), 'utf8')]).toEqual(['1\n', '0\n']);
  });
});
