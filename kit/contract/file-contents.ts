// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { fails, failsWithCode } from './expect.ts';
import { bytes, mode, readAll, textOf, using, type FileCase } from './open-files.ts';

export const readingAndWriting: readonly FileCase[] = [
  {
    name: 'mode w cuts what is there',
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.write(`${scratchDirectory}/file`, 'a long old text');

      await using(files, `${scratchDirectory}/file`, 'w', async (file) => file.write(bytes('new')));

      assert.equal(Buffer.from(await scratch.read(`${scratchDirectory}/file`)).toString(), 'new');
    },
  },
  {
    name: 'mode r+ writes over what is there and cuts nothing',
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.write(`${scratchDirectory}/file`, 'abcdef');

      await using(files, `${scratchDirectory}/file`, 'r+', async (file) => file.write(bytes('XY')));

      assert.equal(Buffer.from(await scratch.read(`${scratchDirectory}/file`)).toString(), 'XYcdef');
    },
  },
  {
    name: 'mode w+ reads back what it wrote',
    run: async (files, { scratchDirectory }) => {
      await using(files, `${scratchDirectory}/file`, 'w+', async (file) => {
        await file.write(bytes('written'));
        await file.seek(0n, 'set');

        assert.equal(await textOf(file), 'written');
      });
    },
  },
  {
    name: 'mode a writes to the end wherever the position is, and goes on from there',
    run: async (files, { scratch, scratchDirectory }) => {
      const path = `${scratchDirectory}/file`;
      await scratch.write(path, 'start');

      await using(files, path, 'a+', async (file) => {
        await file.seek(1n, 'set');
        await file.write(bytes('+end'));

        assert.equal(await file.seek(0n, 'cur'), 9n);
      });

      assert.equal(Buffer.from(await scratch.read(path)).toString(), 'start+end');
    },
  },
  {
    name: 'mode a writes after what somebody else appended meanwhile',
    run: async (files, { scratch, scratchDirectory }) => {
      const path = `${scratchDirectory}/file`;

      await using(files, path, 'a', async (first) => {
        await first.write(bytes('1'));
        await using(files, path, 'a', async (second) => second.write(bytes('2')));
        await first.write(bytes('3'));
      });

      assert.equal(Buffer.from(await scratch.read(path)).toString(), '123');
    },
  },
  {
    name: 'reading and writing share one position',
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.write(`${scratchDirectory}/file`, 'abcdef');

      await using(files, `${scratchDirectory}/file`, 'r+', async (file) => {
        assert.equal(await file.read(new Uint8Array(2)), 2);
        await file.write(bytes('XY'));
        assert.equal(await textOf(file), 'ef');
      });

      assert.equal(Buffer.from(await scratch.read(`${scratchDirectory}/file`)).toString(), 'abXYef');
    },
  },
  {
    name: 'two openings of one file have a position each',
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.write(`${scratchDirectory}/file`, 'abc');

      await using(files, `${scratchDirectory}/file`, 'r', async (first) => {
        await using(files, `${scratchDirectory}/file`, 'r', readAll);
        assert.equal(await textOf(first), 'abc');
      });
    },
  },
  {
    name: 'reading at the end answers 0, and more once more has been written',
    run: async (files, { scratch, scratchDirectory }) => {
      const path = `${scratchDirectory}/file`;
      await scratch.write(path, 'abc');

      await using(files, path, 'r', async (file) => {
        await readAll(file);
        assert.equal(await file.read(new Uint8Array(10)), 0);
        await using(files, path, 'a', async (writer) => writer.write(bytes('more')));
        assert.equal(await textOf(file), 'more');
      });
    },
  },
  {
    name: 'reading for nothing answers 0, and writing nothing changes nothing',
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.write(`${scratchDirectory}/file`, 'abc');

      await using(files, `${scratchDirectory}/file`, 'r+', async (file) => {
        assert.equal(await file.read(new Uint8Array(0)), 0);
        await file.write(new Uint8Array(0));
        assert.equal(await textOf(file), 'abc');
      });
    },
  },
  {
    name: 'one write of 3 MiB is written whole and reads back the same in odd pieces',
    run: async (files, { scratch, scratchDirectory }) => {
      const data = Buffer.alloc(3 * 1024 * 1024, 'The quick brown fox. ');

      await using(files, `${scratchDirectory}/big`, 'w', async (file) => file.write(data));

      assert.ok(data.equals(await scratch.read(`${scratchDirectory}/big`)));
      assert.ok(data.equals(await using(files, `${scratchDirectory}/big`, 'r', (file) => readAll(file, 10_007))));
    },
  },
  {
    name: 'a read fills only the bytes that it answers for',
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.write(`${scratchDirectory}/file`, 'ab');
      const into = Buffer.from('......');

      const length = await using(files, `${scratchDirectory}/file`, 'r', async (file) => file.read(into.subarray(1, 5)));

      assert.equal(length, 2);
      assert.equal(into.toString(), '.ab...');
    },
  },
  {
    name: 'a file opened for reading is not written (EBADF)',
    run: async (files, subject) => {
      await subject.scratch.write(`${subject.scratchDirectory}/file`, 'abc');

      await using(files, `${subject.scratchDirectory}/file`, 'r', async (file) => failsWithCode(subject, 'EBADF', () => file.write(bytes('x'))));
    },
  },
  {
    name: 'a file opened for writing is not read (EBADF)',
    run: async (files, subject) => {
      await using(files, `${subject.scratchDirectory}/file`, 'w', async (file) =>
        failsWithCode(subject, 'EBADF', () => file.read(new Uint8Array(1))),
      );
    },
  },
  {
    name: 'flushing is no error, whatever the file was opened for',
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.write(`${scratchDirectory}/file`, 'abc');

      await using(files, `${scratchDirectory}/file`, 'r', async (file) => file.flush());
      await using(files, `${scratchDirectory}/file`, 'a', async (file) => {
        await file.write(bytes('def'));
        await file.flush();
        assert.equal(Buffer.from(await scratch.read(`${scratchDirectory}/file`)).toString(), 'abcdef');
      });
    },
  },
  {
    name: 'a closed file is of no use any more',
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.write(`${scratchDirectory}/file`, 'abc');
      const file = await files.open(`${scratchDirectory}/file`, mode('r+'));

      await file.close();

      await fails(() => file.read(new Uint8Array(1)));
      await fails(() => file.write(bytes('x')));
      await fails(() => file.seek(0n, 'set'));
      await fails(() => file.close());
    },
  },
];
