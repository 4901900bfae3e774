// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { createFakeMachine, type FakeMachine } from '../../../kit/fake/index.ts';
import type { OpenMode } from '../../../kit/index.ts';

const writing: OpenMode = { read: false, write: true, append: false, create: true, truncate: true };

async function write({ backend }: FakeMachine, path: string, bytes: Uint8Array): Promise<void> {
  const file = await backend.fileSystem?.files?.open(path, writing);
  try {
    await file?.write(bytes);
  } finally {
    await file?.close();
  }
}

describe('files of the fake', () => {
  it('fill their file system up to its capacity, and a prefix has been written then', async () => {
    const machine = createFakeMachine();
    const data = machine.fileSystems.get('/data');
    data.capacityBytes = data.occupiedBytes + 3 * 4096;

    await expect(write(machine, '/data/big', new Uint8Array(20_000))).rejects.toThrow('No space left on device');

    expect(machine.files.stat('/data/big').size).toBe(12_288n);
    machine.files.remove('/data/big');
    await write(machine, '/data/small', new Uint8Array(12_288));
    expect(machine.files.stat('/data/small').size).toBe(12_288n);
  });

  it('cannot grow on a disk that is full, and can be written over', async () => {
    const machine = createFakeMachine();
    await write(machine, '/data/file', Buffer.from('12345'));
    machine.fileSystems.get('/data').full = true;
    const file = await machine.backend.fileSystem?.files?.open('/data/file', { ...writing, create: false, truncate: false });

    await file?.write(Buffer.from('abc'));

    expect(machine.files.text('/data/file')).toBe('abc45');
    await expect(write(machine, '/data/new', Buffer.from('x'))).rejects.toThrow('No space left on device');
  });

  it('are as small as what was written, at the end of the world too', async () => {
    const machine = createFakeMachine();
    const before = machine.fileSystems.get('/data').occupiedBytes;
    const file = await machine.backend.fileSystem?.files?.open('/data/sparse', writing);

    await file?.seek(2n ** 62n, 'set');
    await file?.write(Buffer.from('x'));

    expect(machine.files.stat('/data/sparse').size).toBe(2n ** 62n + 1n);
    expect(machine.fileSystems.get('/data').occupiedBytes - before).toBe(4096);
  });

  it('keep to the permissions of every directory on the way', async () => {
    const machine = createFakeMachine({ agent: { uid: 1001, gid: 1001 } });

    await expect(write(machine, '/home/alice/note', Buffer.from('x'))).rejects.toThrow('Permission denied');
    await expect(write(machine, '/etc/new', Buffer.from('x'))).rejects.toThrow('Permission denied');
    await write(machine, '/home/bob/note', Buffer.from('x'));

    expect(machine.files.stat('/home/bob/note')).toMatchObject({ uid: 1001, gid: 1001, mode: 0o644 });
  });

  it('lead through links, parents and mounts as in a real tree', () => {
    const { files } = createFakeMachine();
    files.symlink('../etc', '/data/settings');
    files.symlink('settings/hostname', '/data/name');

    expect(files.text('/data/name')).toBe('fake\n');
    expect(files.text('/mnt/backup/../../data/./settings/hostname')).toBe('fake\n');
    expect(files.text('/../etc/hostname')).toBe('fake\n');
  });

  it('are covered by what is mounted over them and come back', () => {
    const machine = createFakeMachine();
    machine.files.write('/srv/below', 'below');
    machine.fileSystems.mount({ mountPoint: '/srv', id: '0:77', type: 'tmpfs', source: 'tmpfs' });

    const during = machine.files.exists('/srv/below');
    machine.fileSystems.unmount('/srv');

    expect(during).toBe(false);
    expect(machine.files.text('/srv/below')).toBe('below');
  });

  it('of /proc are made afresh for every reader', async () => {
    const machine = createFakeMachine();
    const first = machine.files.text('/proc/uptime');

    await machine.clock.advance(90_000);

    expect([first, machine.files.text('/proc/uptime')]).toEqual(['0 0.00\n', '90 0.00\n']);
  });

  it('are not created through a link whose target is missing', async () => {
    const machine = createFakeMachine();
    machine.files.symlink('/data/target', '/data/link');

    await expect(write(machine, '/data/link', Buffer.from('x'))).rejects.toThrow('No such file or directory');
    expect(machine.files.exists('/data/target')).toBe(false);
  });
});
