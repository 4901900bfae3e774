// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { failsWithCode } from './expect.ts';
import { bytes, textOf, using, type FileCase } from './open-files.ts';

export const seeking: readonly FileCase[] = [
  {
    name: 'a seek counts from the start, the position or the end, backwards too',
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.write(`${scratchDirectory}/file`, '0123456789');

      await using(files, `${scratchDirectory}/file`, 'r', async (file) => {
        assert.equal(await file.seek(4n, 'set'), 4n);
        assert.equal(await file.seek(3n, 'cur'), 7n);
        assert.equal(await file.seek(-2n, 'cur'), 5n);
        assert.equal(await file.seek(-1n, 'end'), 9n);
        assert.equal(await textOf(file), '9');
      });
    },
  },
  {
    name: 'a seek to before the start is refused and moves nothing (EINVAL)',
    run: async (files, subject) => {
      await subject.scratch.write(`${subject.scratchDirectory}/file`, '0123456789');

      await using(files, `${subject.scratchDirectory}/file`, 'r', async (file) => {
        await file.seek(6n, 'set');
        await failsWithCode(subject, 'EINVAL', () => file.seek(-1n, 'set'));
        await failsWithCode(subject, 'EINVAL', () => file.seek(-11n, 'end'));
        assert.equal(await textOf(file), '6789');
      });
    },
  },
  {
    name: 'past the end nothing is read, and a write there leaves zeros between',
    run: async (files, { scratch, scratchDirectory }) => {
      await using(files, `${scratchDirectory}/file`, 'w+', async (file) => {
        await file.write(bytes('ab'));
        assert.equal(await file.seek(3n, 'end'), 5n);
        assert.equal(await file.read(new Uint8Array(4)), 0);
        await file.write(bytes('cd'));
      });

      assert.deepEqual([...(await scratch.read(`${scratchDirectory}/file`))], [...bytes('ab\0\0\0cd')]);
    },
  },
  {
    name: 'offsets beyond 32 bits are exact',
    run: async (files, { scratchDirectory }) => {
      const far = 2n ** 43n + 1n;

      await using(files, `${scratchDirectory}/sparse`, 'w+', async (file) => {
        assert.equal(await file.seek(far, 'set'), far);
        assert.equal(await file.seek(-2n, 'cur'), far - 2n);
        assert.equal(await file.seek(2n ** 32n + 5n, 'set'), 4_294_967_301n);
        await file.write(bytes('x'));
        assert.equal(await file.seek(0n, 'end'), 4_294_967_302n);
        await file.seek(-1n, 'end');
        assert.equal(await textOf(file), 'x');
      });
    },
  },
];
