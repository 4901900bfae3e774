// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { failsWithCode } from './expect.ts';
import { bytes, mode, readAll, textOf, using, type FileCase } from './open-files.ts';

const tellsPlaces: FileCase['skip'] = ({ backend }) => (backend.fileSystem?.files?.openAdmitted === undefined ? 'needs openAdmitted' : undefined);
const tellsPlacesBehindLinks: FileCase['skip'] = (subject) => tellsPlaces(subject) ?? (subject.scratch.symlink === undefined ? 'needs symbolic links' : undefined);

export const opening: readonly FileCase[] = [
  {
    name: 'where a file lies is told without links, whatever it was called',
    skip: tellsPlacesBehindLinks,
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.directory(`${scratchDirectory}/real`);
      await scratch.write(`${scratchDirectory}/real/file`, 'here');
      await scratch.symlink?.(`${scratchDirectory}/real`, `${scratchDirectory}/link`);
      const told: unknown[] = [];

      const file = await files.openAdmitted?.(`${scratchDirectory}/link/../real/./file`, mode('r'), ({ names, mayHaveOthers }) => void told.push([...names], mayHaveOthers));
      const made = await files.openAdmitted?.(`${scratchDirectory}/./new`, mode('w'), ({ names, mayHaveOthers }) => void told.push([...names], mayHaveOthers));

      assert.deepEqual(told, [[`${scratchDirectory}/real/file`], false, [`${scratchDirectory}/new`], false]);
      assert.equal(file && await textOf(file), 'here');
      await file?.close();
      await made?.close();
      assert.equal((await scratch.read(`${scratchDirectory}/new`)).length, 0);
    },
  },
  {
    name: 'where a file must not be opened nothing is made and nothing cut off',
    skip: tellsPlaces,
    run: async (files, subject) => {
      const { scratch, scratchDirectory } = subject;
      await scratch.write(`${scratchDirectory}/old`, 'old');
      const refuse = (): never => {
        throw new Error('refused');
      };

      for (const name of ['old', 'new']) {
        await assert.rejects(async () => files.openAdmitted?.(`${scratchDirectory}/${name}`, mode('w'), refuse), { message: /refused/ });
      }

      assert.equal(Buffer.from(await scratch.read(`${scratchDirectory}/old`)).toString(), 'old');
      await failsWithCode(subject, 'ENOENT', () => files.open(`${scratchDirectory}/new`, mode('r')));
    },
  },
  ...(['r', 'r+'] as const).map((name): FileCase => ({
    name: `a missing file cannot be opened with mode ${name} (ENOENT)`,
    run: async (files, subject) => {
      await failsWithCode(subject, 'ENOENT', () => files.open(`${subject.scratchDirectory}/missing`, mode(name)));
    },
  })),
  ...(['w', 'w+', 'a', 'a+'] as const).map((name): FileCase => ({
    name: `mode ${name} creates a missing file with mode 0644 whatever the umask`,
    run: async (files, { scratch, scratchDirectory }) => {
      const path = `${scratchDirectory}/new`;

      await using(files, path, name, async (file) => file.write(bytes('made')));

      assert.equal(Buffer.from(await scratch.read(path)).toString(), 'made');
      const permissions = await scratch.mode(path);
      if (permissions !== undefined) assert.equal(permissions, 0o644);
    },
  })),
  {
    name: 'a file that is created has the mode that is asked for, whatever the umask',
    run: async (files, { scratch, scratchDirectory }) => {
      const path = `${scratchDirectory}/new`;

      await (await files.open(path, { ...mode('w'), permissions: 0o626 })).close();

      const permissions = await scratch.mode(path);
      if (permissions !== undefined) assert.equal(permissions, 0o626);
    },
  },
  {
    name: 'the permissions of a file that is there stay as they are',
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.write(`${scratchDirectory}/old`, 'old', 0o640);

      await using(files, `${scratchDirectory}/old`, 'w', async (file) => file.write(bytes('new')));

      const permissions = await scratch.mode(`${scratchDirectory}/old`);
      if (permissions !== undefined) assert.equal(permissions, 0o640);
    },
  },
  {
    name: 'nothing is created in a directory that is missing (ENOENT)',
    run: async (files, subject) => {
      await failsWithCode(subject, 'ENOENT', () => files.open(`${subject.scratchDirectory}/missing/new`, mode('w')));
    },
  },
  {
    name: 'a path through a file leads nowhere (ENOTDIR)',
    run: async (files, subject) => {
      await subject.scratch.write(`${subject.scratchDirectory}/file`, '');

      await failsWithCode(subject, 'ENOTDIR', () => files.open(`${subject.scratchDirectory}/file/below`, mode('r')));
    },
  },
  {
    name: 'a name that is too long is refused (ENAMETOOLONG)',
    run: async (files, subject) => {
      await failsWithCode(subject, 'ENAMETOOLONG', () => files.open(`${subject.scratchDirectory}/${'n'.repeat(300)}`, mode('w')));
    },
  },
  {
    name: 'the empty path is no file (ENOENT)',
    run: async (files, subject) => failsWithCode(subject, 'ENOENT', () => files.open('', mode('r'))),
  },
  {
    name: 'a file that the agent may not open is refused (EACCES)',
    skip: ({ knows }) => (knows.forbiddenFile === undefined ? 'needs a file that the agent may not open: it is root' : undefined),
    run: async (files, subject) => failsWithCode(subject, 'EACCES', () => files.open(subject.knows.forbiddenFile ?? '', mode('r'))),
  },
  {
    name: 'a file on a read-only file system can be read and not written (EROFS)',
    skip: ({ knows }) => (knows.readOnlyFile === undefined ? 'needs a file on a read-only file system' : undefined),
    run: async (files, subject) => {
      const path = subject.knows.readOnlyFile ?? '';

      await using(files, path, 'r', readAll);

      await failsWithCode(subject, 'EROFS', () => files.open(path, mode('r+')));
      await failsWithCode(subject, 'EROFS', () => files.open(`${path}.new`, mode('w')));
    },
  },
  {
    name: 'a directory can be opened for reading, and reading it fails (EISDIR)',
    run: async (files, subject) => {
      await using(files, subject.scratchDirectory, 'r', async (file) => failsWithCode(subject, 'EISDIR', () => file.read(new Uint8Array(10))));
    },
  },
  {
    name: 'a directory cannot be opened for writing (EISDIR)',
    run: async (files, subject) => {
      await failsWithCode(subject, 'EISDIR', () => files.open(subject.scratchDirectory, mode('r+')));
      await failsWithCode(subject, 'EISDIR', () => files.open(subject.scratchDirectory, mode('w')));
    },
  },
  {
    name: 'a symbolic link leads to its target',
    skip: ({ scratch }) => (scratch.symlink === undefined ? 'needs symbolic links' : undefined),
    run: async (files, { scratch, scratchDirectory }) => {
      await scratch.write(`${scratchDirectory}/target`, 'here');
      await scratch.symlink?.('target', `${scratchDirectory}/link`);

      assert.equal(await using(files, `${scratchDirectory}/link`, 'r', textOf), 'here');
    },
  },
  {
    name: 'a loop of symbolic links is noticed (ELOOP)',
    skip: ({ scratch }) => (scratch.symlink === undefined ? 'needs symbolic links' : undefined),
    run: async (files, subject) => {
      await subject.scratch.symlink?.('two', `${subject.scratchDirectory}/one`);
      await subject.scratch.symlink?.('one', `${subject.scratchDirectory}/two`);

      await failsWithCode(subject, 'ELOOP', () => files.open(`${subject.scratchDirectory}/one`, mode('r')));
    },
  },
  {
    name: 'fifty files are open at once, and each keeps what is its own',
    run: async (files, { scratchDirectory }) => {
      const one = (number: number): Promise<string> =>
        using(files, `${scratchDirectory}/many-${number}`, 'w+', async (file) => {
          await file.write(bytes(`file ${number}`));
          await file.seek(0n, 'set');
          return textOf(file);
        });

      const texts = await Promise.all(Array.from({ length: 50 }, (_, number) => one(number)));

      assert.deepEqual(texts, Array.from({ length: 50 }, (_, number) => `file ${number}`));
    },
  },
];
