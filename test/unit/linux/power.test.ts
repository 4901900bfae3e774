// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Power } from '../../../core/ports/power.ts';
import type { Processes } from '../../../core/ports/processes.ts';
import { kernelPower, SYNC_LIMIT, type KernelPower, type PowerAddon } from '../../../adapters/linux/power/kernel-power.ts';
import { linuxPower } from '../../../adapters/linux/power/power.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import { processes } from '../../../adapters/linux/programs/processes.ts';
import { scratchDirectory, script, tree } from './support/scratch.ts';

interface Machine {
  readonly root: string;
  readonly power: Power;
  /** Every program that ran, with its arguments. */
  readonly calls: () => string[];
}

/** A tree with fake programs in /sbin and in PATH, none of them the machine's own. */
function machine(programs: Readonly<Record<string, string>>, powerStates?: string, kernel?: KernelPower): Machine {
  const root = scratchDirectory();
  const log = join(root, 'calls');
  for (const [path, body] of Object.entries(programs)) {
    script(join(root, path), `{ printf %s "${path}"; printf ' [%s]' "$@"; echo; } >> ${log}\n${body}`);
  }
  if (powerStates !== undefined) tree(root, { 'sys/power/state': powerStates });
  const inRoot: Processes = {
    canMerge: true,
    spawn: (request) => processes.spawn({ ...request, environment: [`PATH=${join(root, 'bin')}`] }),
  };
  return {
    root,
    power: linuxPower({ root, processes: inRoot, path: ['', 'bin', '/opt/bin'], ...(kernel === undefined ? {} : { kernel }) }),
    calls: () => (existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []),
  };
}

describe('shutting down', () => {
  it.each([
    ['powerdown', 'sbin/poweroff'],
    ['halt', 'sbin/halt'],
    ['reboot', 'sbin/reboot'],
  ] as const)('runs the program of the init system for %s', async (mode, program) => {
    const { power, calls } = machine({ [program]: '', 'sbin/shutdown': '' });

    await power.shutdown?.shutdown(mode);

    expect(calls()).toEqual([`${program} []`]);
  });

  it.each([
    ['powerdown', '[-h] [-P]'],
    ['halt', '[-h] [-H]'],
    ['reboot', '[-r]'],
  ] as const)('falls back on shutdown(8) for %s', async (mode, flags) => {
    const { power, calls } = machine({ 'sbin/shutdown': '' });

    await power.shutdown?.shutdown(mode);

    expect(calls()).toEqual([`sbin/shutdown ${flags} [+0] [hypervisor initiated shutdown]`]);
  });

  it('tells what the program said', async () => {
    const { power } = machine({ 'sbin/poweroff': 'echo "Failed to talk to init daemon." >&2; exit 1' });

    await expect(power.shutdown?.shutdown('powerdown')).rejects.toMatchObject({
      message: 'child process has failed to shutdown: Failed to talk to init daemon.\n',
    });
  });

  it.each([
    ['powerdown', { 'usr/bin/systemctl': '', 'bin/poweroff': '' }, 'usr/bin/systemctl [poweroff]'],
    ['halt', { 'bin/systemctl': '', 'usr/sbin/halt': '' }, 'bin/systemctl [halt]'],
    ['reboot', { 'opt/bin/systemctl': '', 'usr/bin/systemctl': '' }, 'opt/bin/systemctl [reboot]'],
    ['powerdown', { 'opt/bin/poweroff': '', 'usr/sbin/shutdown': '' }, 'opt/bin/poweroff []'],
    ['reboot', { 'usr/local/sbin/reboot': '', 'usr/sbin/shutdown': '' }, 'usr/local/sbin/reboot []'],
    ['halt', { 'usr/sbin/shutdown': '' }, 'usr/sbin/shutdown [-h] [-H] [+0] [hypervisor initiated shutdown]'],
  ] as const)('finds a program for %s elsewhere where /sbin has none', async (mode, programs, call) => {
    const { power, calls } = machine(programs, undefined, { reboot: () => Promise.reject(new Error('not asked')) });

    await power.shutdown?.shutdown(mode);

    expect(calls()).toEqual([call]);
  });

  it('does not go on to another way where a program is there and fails', async () => {
    const { power, calls } = machine({ 'sbin/poweroff': 'exit 1', 'bin/systemctl': '' }, undefined, { reboot: async () => {} });

    await expect(power.shutdown?.shutdown('powerdown')).rejects.toMatchObject({ message: 'child process has failed to shutdown: exit status 1' });
    expect(calls()).toEqual(['sbin/poweroff []']);
  });

  it.each(['powerdown', 'halt', 'reboot'] as const)('tells the kernel as the last for %s', async (mode) => {
    const told: string[] = [];
    const { power } = machine({}, undefined, { reboot: async (asked) => void told.push(asked) });

    await power.shutdown?.shutdown(mode);

    expect(told).toEqual([mode]);
  });

  it('tells that there is no program, and what the kernel said', async () => {
    const nothing = 'child process has failed to shutdown: there is no /sbin/halt, /sbin/shutdown or systemctl, nor one of them in PATH';
    const refusing = machine({}, undefined, { reboot: () => Promise.reject(posixError('EPERM', { syscall: 'reboot' })) });

    await expect(machine({}).power.shutdown?.shutdown('halt')).rejects.toMatchObject({ kind: 'failed', message: nothing });
    await expect(refusing.power.shutdown?.shutdown('halt')).rejects.toMatchObject({ message: expect.stringMatching(/in PATH, and the kernel refuses: .*Operation not permitted/) });
  });
});

describe('the kernel, told to end the machine', () => {
  afterEach(() => vi.useRealTimers());

  /** No call of it reaches the kernel. */
  const double = (sync: () => Promise<void>): { readonly calls: (number | string)[]; readonly addon: () => PowerAddon } => {
    const calls: (number | string)[] = [];
    return { calls, addon: () => ({ sync: () => (calls.push('sync'), sync()), reboot: (command) => void calls.push(command) }) };
  };

  it.each([
    ['powerdown', 0x4321fedc],
    ['halt', 0xcdef0123],
    ['reboot', 0x01234567],
  ] as const)('writes what is not written yet, and then does it: %s', async (mode, command) => {
    const { calls, addon } = double(async () => {});

    await kernelPower(addon).reboot(mode);

    expect(calls).toEqual(['sync', command]);
  });

  it('waits for disks no longer than its limit', async () => {
    vi.useFakeTimers();
    const { calls, addon } = double(() => new Promise(() => {}));

    const done = kernelPower(addon).reboot('halt');
    await vi.advanceTimersByTimeAsync(SYNC_LIMIT - 1);
    const before = [...calls];
    await vi.advanceTimersByTimeAsync(1);
    await done;

    expect(before).toEqual(['sync']);
    expect(calls).toEqual(['sync', 0xcdef0123]);
  });
});

/** systemctl that knows the unit (3: dead), and does or does not do its work. */
const systemctl = (status: number, work: string): string => `[ "$1" = status ] && exit ${status}\n${work}`;

describe('suspending', () => {
  it.each([
    ['disk', 'systemd-hibernate', 'hibernate'],
    ['ram', 'systemd-suspend', 'suspend'],
    ['hybrid', 'systemd-hybrid-sleep', 'hybrid-sleep'],
  ] as const)('asks systemd for %s first', async (mode, unit, verb) => {
    const { power, calls } = machine({ 'bin/systemctl': systemctl(3, 'exit 0'), 'bin/pm-is-supported': '' }, 'freeze mem disk\n');

    await power.suspend?.suspend(mode);

    expect(calls()).toEqual([`bin/systemctl [status] [${unit}]`, `bin/systemctl [${verb}]`]);
  });

  it('counts a unit that runs at this moment as there', async () => {
    const { power, calls } = machine({ 'bin/systemctl': systemctl(0, 'exit 0') });

    await power.suspend?.suspend('ram');

    expect(calls()).toContain('bin/systemctl [suspend]');
  });

  it('asks pm-utils where systemd does not know the unit', async () => {
    const { power, calls } = machine({ 'bin/systemctl': systemctl(4, ''), 'bin/pm-is-supported': '', 'bin/pm-hibernate': '' });

    await power.suspend?.suspend('disk');

    expect(calls().slice(1)).toEqual(['bin/pm-is-supported [--hibernate]', 'bin/pm-hibernate []']);
  });

  it('asks the kernel where nothing else is there', async () => {
    const { power, root } = machine({}, 'freeze mem disk\n');

    await power.suspend?.suspend('ram');

    // Written over the beginning of the file that stands for sysfs here.
    expect(readFileSync(join(root, 'sys/power/state'), 'utf8')).toBe('memeze mem disk\n');
  });

  it('goes on to the next way when one fails', async () => {
    const { power, root } = machine({ 'bin/systemctl': systemctl(3, 'exit 1') }, 'freeze mem disk\n');

    await power.suspend?.suspend('disk');

    expect(readFileSync(join(root, 'sys/power/state'), 'utf8')).toBe('diskze mem disk\n');
  });

  it.each([
    ['disk', 'standby mem\n'],
    ['ram', 'freeze disk\n'],
    ['hybrid', 'freeze mem disk\n'],
  ] as const)('is not supported for %s where no way knows it', async (mode, states) => {
    const { power } = machine({ 'bin/systemctl': systemctl(4, ''), 'bin/pm-is-supported': 'exit 1' }, states);

    await expect(power.suspend?.suspend(mode)).rejects.toMatchObject({ message: 'the requested suspend mode is not supported by the guest' });
  });

  it.each([
    ['fails', 'exit 5', "the helper program 'systemctl' returned an unexpected exit status code (5)"],
    ['is killed', 'kill -9 $$', "the helper program 'systemctl' was killed by signal 9"],
  ])('tells the failure of the only way that claimed to know it when that %s', async (_how, work, message) => {
    const { power } = machine({ 'bin/systemctl': systemctl(3, work) }, 'freeze\n');

    await expect(power.suspend?.suspend('ram')).rejects.toMatchObject({ kind: 'failed', message });
  });

  it('tells that the program of a way is missing', async () => {
    const { power } = machine({ 'bin/pm-is-supported': '' });

    await expect(power.suspend?.suspend('hybrid')).rejects.toMatchObject({ message: "the helper program 'pm-suspend-hybrid' was not found" });
  });
});
