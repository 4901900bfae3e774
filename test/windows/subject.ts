// SPDX-License-Identifier: Apache-2.0
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { WindowsBackendOptions } from '../../adapters/windows/module.ts';
import { windowsBackend } from '../../adapters/windows/module.ts';
import type { ContractPrograms, ContractSubject, ScratchFiles } from '../../kit/contract/index.ts';
import { built, doubledDlls } from './doubles.ts';
import { vssDlls, vssScene } from './vss-double.ts';

const call = (...args: string[]) => ({ path: built('programs.exe'), arguments: args });

export const windowsPrograms: ContractPrograms = {
  exits: (code) => call('exits', `${code}`),
  prints: (output, errors) => call('prints', output, errors),
  interleaves: () => call('interleaves'),
  printsArguments: (...words) => call('arguments', ...words),
  printsEnvironment: () => call('environment'),
  copiesInput: () => call('copies'),
  printsMany: (count) => call('many', `${count}`),
  waits: () => call('waits'),
  leavesChild: () => call('leaves-child'),
  floods: () => call('floods'),
  printsDirectory: () => call('directory'),
  byName: (argument) => ({ path: 'programs-by-name', arguments: [argument] }),
  install: async (path, executable) => {
    if (executable) await copyFile(built('programs.exe'), `${path}.exe`);
    else await writeFile(path, 'no program');
  },
  searchPath: (...directories) => `PATH=${directories.join(';')}`,
};

const scratch: ScratchFiles = {
  write: (path, data) => writeFile(path, data),
  read: (path) => readFile(path),
  mode: () => Promise.resolve(undefined),
  directory: async (path) => void (await mkdir(path, { recursive: true })),
};

/** This Wine, with doubles for what must not happen. */
export async function windowsSubject(options: WindowsBackendOptions = {}): Promise<ContractSubject> {
  vssScene();
  const scratchDirectory = await mkdtemp(join(tmpdir(), 'concierge-'));
  const search = join(tmpdir(), 'concierge-search');
  await mkdir(search, { recursive: true });
  await copyFile(built('programs.exe'), join(search, 'programs-by-name.exe')).catch(() => {});
  if (!(process.env['PATH'] ?? '').includes(search)) process.env['PATH'] = `${search};${process.env['PATH'] ?? ''}`;
  return {
    backend: windowsBackend({ routes: true, dlls: { ...doubledDlls, ...vssDlls }, ...options }),
    scratchDirectory,
    scratch,
    knows: {
      programs: windowsPrograms,
      user: { name: process.env['USERNAME'] ?? 'root', keys: 'C:\\ProgramData\\ssh\\administrators_authorized_keys' },
      mountPoint: 'C:\\',
      loopback: 'lo',
      codes: {
        ENOENT: ['ENOENT', 'ERROR_FILE_NOT_FOUND', 'ERROR_PATH_NOT_FOUND'],
        ENOTDIR: ['ENOTDIR', 'ERROR_PATH_NOT_FOUND'],
        // A file is a program by its name and content, not by a right.
        EACCES: ['EACCES', 'ERROR_ACCESS_DENIED', 'ENOEXEC'],
        EBADF: ['ERROR_ACCESS_DENIED', 'ERROR_INVALID_HANDLE'],
        EINVAL: 'ERROR_NEGATIVE_SEEK',
        ENAMETOOLONG: 'ERROR_FILENAME_EXCED_RANGE',
      },
    },
    safe: { freeze: [{ mountPoint: 'C:\\', writable: scratchDirectory }, { mountPoint: 'Z:\\', writable: scratchDirectory }], power: true, sshKeysOf: process.env['USERNAME'] ?? 'root' },
    cleanup: () => rm(scratchDirectory, { recursive: true, force: true }),
  };
}
