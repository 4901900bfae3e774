// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';

import { settled } from '../../../adapters/fake/clock.ts';
import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import { FakeStateStore } from '../../../adapters/fake/state-store.ts';
import { FileHandleTable } from '../../../core/state/file-handles.ts';
import { ProcessTable } from '../../../core/state/processes.ts';

const read = { read: true, write: false, append: false, create: false, truncate: false };

it('a table of files without files opens none', async () => {
  await expect(new FileHandleTable(undefined, new FakeStateStore()).open('/x', read)).rejects.toThrow('this backend has no files');
});

it('a table of processes without processes starts none', async () => {
  const table = new ProcessTable(undefined, createFakeMachine().clock);

  await expect(table.start({ path: 'true', arguments: [], output: 'discard', errors: 'discard' })).rejects.toThrow('this backend has no processes');
});

it('a file for which no number can be had in the end is closed again', async () => {
  const machine = createFakeMachine();
  const store = new FakeStateStore();
  const slow = machine.faults.inject({ port: 'fileSystem.files', method: 'open', on: '/etc/passwd', hang: true });
  let reservations = 0;
  const table = new FileHandleTable(machine.backend.fileSystem?.files, {
    reserveHandles: (count) => ((reservations += 1) <= 1 ? store.reserveHandles(count) : Promise.reject(new Error('the disk is full'))),
  });
  const first = table.open('/etc/passwd', read);
  await settled();
  // This one takes the number that was set aside.
  await table.open('/etc/motd', read);

  slow.release();

  await expect(first).rejects.toThrow('the disk is full');
  expect(machine.faults.calls.filter((call) => call.includes('openFile.close'))).toHaveLength(1);
});

it('a hold that is given back twice counts once', async () => {
  const machine = createFakeMachine();
  const table = new FileHandleTable(machine.backend.fileSystem?.files, new FakeStateStore());
  const handle = await table.open('/etc/motd', read);
  const held = await table.hold(handle);

  held.release();
  held.release();
  const again = await table.hold(handle);

  expect(again.file).toBe(held.file);
});
