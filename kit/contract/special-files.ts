// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { failsWithCode } from './expect.ts';
import { bytes, mode, using, type FileCase } from './open-files.ts';

const needsFifo: FileCase['skip'] = ({ scratch }) => (scratch.fifo === undefined ? 'needs FIFOs' : undefined);
const needsDevices: FileCase['skip'] = ({ knows }) => (knows.memoryDevices === true ? undefined : 'needs /dev/null, /dev/zero and /dev/full');

export const special: readonly FileCase[] = [
  {
    name: 'a FIFO without a reader is not opened for writing (ENXIO)',
    skip: needsFifo,
    run: async (files, subject) => {
      await subject.scratch.fifo?.(`${subject.scratchDirectory}/fifo`);

      await failsWithCode(subject, 'ENXIO', () => files.open(`${subject.scratchDirectory}/fifo`, { ...mode('r+'), read: false }));
    },
  },
  {
    name: 'a FIFO without a writer opens at once for reading and is at its end',
    skip: needsFifo,
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.fifo?.(`${scratchDirectory}/fifo`);

      assert.equal(await using(files, `${scratchDirectory}/fifo`, 'r', async (file) => file.read(new Uint8Array(10))), 0);
    },
  },
  {
    name: 'an empty FIFO says so instead of waiting (EAGAIN), and hands on what comes',
    skip: needsFifo,
    run: async (files, subject) => {
      const path = `${subject.scratchDirectory}/fifo`;
      await subject.scratch.fifo?.(path);

      await using(files, path, 'r', async (reader) => {
        await using(files, path, 'a', async (writer) => {
          await failsWithCode(subject, 'EAGAIN', () => reader.read(new Uint8Array(10)));
          await writer.write(bytes('through'));
          const into = Buffer.alloc(10);
          assert.equal(await reader.read(into), 7);
          assert.equal(into.subarray(0, 7).toString(), 'through');
        });
        assert.equal(await reader.read(new Uint8Array(10)), 0);
      });
    },
  },
  {
    name: 'a FIFO that nobody empties takes no more instead of waiting (EAGAIN)',
    skip: needsFifo,
    run: async (files, subject) => {
      const path = `${subject.scratchDirectory}/fifo`;
      await subject.scratch.fifo?.(path);

      await using(files, path, 'r', async () =>
        using(files, path, 'a', async (writer) => failsWithCode(subject, 'EAGAIN', () => writer.write(new Uint8Array(2 ** 21)))),
      );
    },
  },
  {
    name: 'a FIFO whose reader is gone breaks (EPIPE)',
    skip: needsFifo,
    run: async (files, subject) => {
      const path = `${subject.scratchDirectory}/fifo`;
      await subject.scratch.fifo?.(path);
      const reader = await files.open(path, mode('r'));

      await using(files, path, 'a', async (writer) => {
        await reader.close();
        await failsWithCode(subject, 'EPIPE', () => writer.write(bytes('x')));
      });
    },
  },
  {
    name: 'a FIFO has no position (ESPIPE)',
    skip: needsFifo,
    run: async (files, subject) => {
      await subject.scratch.fifo?.(`${subject.scratchDirectory}/fifo`);

      await using(files, `${subject.scratchDirectory}/fifo`, 'r', async (file) => failsWithCode(subject, 'ESPIPE', () => file.seek(0n, 'cur')));
    },
  },
  {
    name: 'a device that is full says so on the write itself (ENOSPC)',
    skip: needsDevices,
    run: async (files, subject) => {
      await using(files, '/dev/full', 'r+', async (file) => failsWithCode(subject, 'ENOSPC', () => file.write(bytes('x'))));
    },
  },
  {
    name: 'devices are read and written like files',
    skip: needsDevices,
    run: async (files) => {
      const into = Buffer.from('....');

      await using(files, '/dev/null', 'w', async (file) => file.write(bytes('gone')));
      const fromNull = await using(files, '/dev/null', 'r', async (file) => file.read(into));
      const fromZero = await using(files, '/dev/zero', 'r', async (file) => file.read(into));

      assert.equal(fromNull, 0);
      assert.equal(fromZero, 4);
      assert.deepEqual([...into], [0, 0, 0, 0]);
    },
  },
];
