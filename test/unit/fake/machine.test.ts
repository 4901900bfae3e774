// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { createFakeMachine } from '../../../kit/fake/index.ts';
import { fakeBackend } from '../../../adapters/fake/module.ts';

describe('the fake machine', () => {
  it('leaves out what its description leaves out, groups and whole ports', () => {
    const { backend } = createFakeMachine({ without: ['power', 'fileSystem.trimming', 'processors.online.switching', 'clock.setting'] });

    expect('power' in backend).toBe(false);
    expect(backend.fileSystem?.trimming).toBeUndefined();
    expect(backend.fileSystem?.files).toBeDefined();
    expect(backend.processors?.online?.switching).toBeUndefined();
    expect(backend.clock.setting).toBeUndefined();
    expect(backend.clock.now()).toBeGreaterThan(0n);
  });

  it('runs in real time as a program’s backend', () => {
    const before = BigInt(Date.now()) * 1_000_000n;

    const now = fakeBackend().clock.now();

    expect(now).toBeGreaterThanOrEqual(before);
  });

  it('records the orders for power', async () => {
    const { backend, power } = createFakeMachine();

    await backend.power?.shutdown?.shutdown('reboot');
    await backend.power?.suspend?.suspend('ram');

    expect(power.events).toMatchObject([{ kind: 'shutdown', mode: 'reboot' }, { kind: 'suspend', mode: 'ram' }]);
    await expect(backend.power?.suspend?.suspend('hybrid')).rejects.toThrow('the requested suspend mode is not supported by the guest');
  });

  it('records passwords as they were given', async () => {
    const { backend, accounts } = createFakeMachine();

    await backend.accounts?.passwords?.set('alice', Buffer.from('pässword'), false);

    expect(accounts.passwords.get('alice')).toEqual({ password: 'pässword', crypted: false });
  });

  it('writes keys for a user without a directory for them, private and the user’s own', async () => {
    const { backend, files } = createFakeMachine();

    await backend.accounts?.sshKeys?.write('bob', 'key\n');

    expect(files.text('/home/bob/.ssh/authorized_keys')).toBe('key\n');
    expect(files.stat('/home/bob/.ssh')).toMatchObject({ mode: 0o700, uid: 1001 });
    expect(files.stat('/home/bob/.ssh/authorized_keys')).toMatchObject({ mode: 0o600, uid: 1001 });
  });

  it('does not follow a link that a user has planted in place of the directory of keys', async () => {
    const { backend, files } = createFakeMachine();
    files.symlink('/etc', '/home/bob/.ssh');

    await expect(backend.accounts?.sshKeys?.write('bob', 'key\n')).rejects.toThrow(/is not a directory/u);
    expect(files.exists('/etc/authorized_keys')).toBe(false);
  });

  it('has a memory block that the kernel cannot move', async () => {
    const { backend } = createFakeMachine();
    const switching = backend.memory?.blocks?.switching;

    expect(await switching?.set(1n, false)).toEqual({ response: 'operation-failed', errorCode: 16 });
    expect(await switching?.set(2n, false)).toEqual({ response: 'success' });
    expect(await switching?.set(99n, false)).toEqual({ response: 'not-found', errorCode: 2 });
  });

  it('finds the disks below a volume, and none below a loop device', async () => {
    const { backend } = createFakeMachine();

    const list = await backend.fileSystem?.usage?.list();

    expect(list?.map(({ name, disks }) => [name, disks.map(({ dev }) => dev)])).toEqual([
      ['vda2', ['/dev/vda2']], ['vda1', ['/dev/vda1']], ['dm-0', ['/dev/vdb']], ['loop0', []],
    ]);
  });

  it('leaves out the sizes of a file system whose device hangs', async () => {
    const { backend, faults } = createFakeMachine();
    faults.inject({ port: 'kernel', method: 'statfs', on: '/data', hang: true });

    const list = await backend.fileSystem?.usage?.list();

    expect(list?.find(({ mountPoint }) => mountPoint === '/data')?.usedBytes).toBeUndefined();
    expect(list?.find(({ mountPoint }) => mountPoint === '/')?.usedBytes).toBeDefined();
  });

  it('runs hooks as scripted and records what was frozen then', async () => {
    const machine = createFakeMachine({ hooks: [{ name: '/etc/hook', phases: { freeze: { ok: false, output: 'no', takesMs: 50 } } }] });
    const [hook] = (await machine.backend.hooks?.list()) ?? [];

    const running = hook?.run('freeze');
    await machine.clock.advance(50);
    await machine.fileSystems.get('/data').freeze();
    await hook?.run('thaw');

    expect(await running).toEqual({ ok: false, output: 'no', error: 'child process has failed to execute fsfreeze hook: no', durationNs: 50_000_000n });
    expect(machine.hooks.runs).toEqual([
      { name: '/etc/hook', phase: 'freeze', frozen: [] },
      { name: '/etc/hook', phase: 'thaw', frozen: ['/data'] },
    ]);
  });

  it('discards unused blocks once', async () => {
    const { backend, fileSystems } = createFakeMachine();
    fileSystems.get('/boot').trim = false;

    const first = await backend.fileSystem?.trimming?.trim(0n);
    const second = await backend.fileSystem?.trimming?.trim(0n);

    expect(first?.find(({ path }) => path === '/data')).toEqual({ path: '/data', trimmed: 34_359_738_368n, minimum: 4096n });
    expect(second?.find(({ path }) => path === '/data')).toEqual({ path: '/data', trimmed: 0n, minimum: 4096n });
    expect(first?.find(({ path }) => path === '/boot')).toEqual({ path: '/boot', error: 'trim not supported' });
  });

  it('tells no size of a file system that others cover, and does not trim what covers it twice', async () => {
    const { backend } = createFakeMachine({
      mounts: [
        { mountPoint: '/', id: '8:1', type: 'ext4', source: '/dev/sda1' },
        { mountPoint: '/x', id: '8:2', type: 'ext4', source: '/dev/sda2' },
        { mountPoint: '/x', id: '8:3', type: 'ext4', source: '/dev/sda3', capacityBytes: 8192 },
      ],
    });

    const usage = await backend.fileSystem?.usage?.list();
    const trims = await backend.fileSystem?.trimming?.trim(0n);

    expect(usage?.map(({ name, totalBytesPrivileged }) => [name, totalBytesPrivileged])).toEqual([['8:1', 2n ** 30n], ['8:2', undefined], ['8:3', 8192n]]);
    expect(trims?.map(({ trimmed, error }) => error ?? trimmed)).toEqual([2n ** 29n, 'failed to trim: other mounts cover every place where it is mounted', 4096n]);
  });
});
