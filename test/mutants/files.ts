// SPDX-License-Identifier: Apache-2.0
import { AgentError, type Backend, type FileAccess, type OpenFile, type OpenMode, posixError } from '../../kit/index.ts';
import { present, replaced, type Mutant } from './mutant.ts';

const withFiles = (backend: Backend, members: (files: FileAccess) => Partial<FileAccess>): Backend => {
  const fileSystem = present(backend.fileSystem, 'fileSystem');
  const files = present(fileSystem.files, 'files');
  return replaced(backend, { fileSystem: replaced(fileSystem, { files: replaced(files, members(files)) }) });
};

/** Every file that is opened behaves a little differently. */
const everyFile = (change: (file: OpenFile, mode: OpenMode) => Partial<OpenFile>) => (backend: Backend): Backend =>
  withFiles(backend, (files) => ({ open: async (path, mode) => {
    const file = await files.open(path, mode);
    return replaced(file, change(file, mode));
  } }));

const everyOpen = (open: (files: FileAccess, path: string, mode: OpenMode) => Promise<OpenFile>) => (backend: Backend): Backend =>
  withFiles(backend, (files) => ({ open: (path, mode) => open(files, path, mode) }));

const group = 'fileSystem.files';

/** Faults of files, planted in the fake and in the backend for Linux. */
export const fileMutants: readonly Mutant[] = [
  {
    fault: 'where a file lies is told as it was called', group, caughtBy: 'where a file lies is told without links',
    plant: (backend) => withFiles(backend, (files) => ({
      openAdmitted: (path, mode, admit) => present(files.openAdmitted?.(path, mode, (place) => admit({ ...place, names: [path] })), 'openAdmitted'),
    })),
  },
  {
    fault: 'whether a file may be opened is asked when it is open', group, caughtBy: 'where a file must not be opened nothing is made',
    plant: (backend) => withFiles(backend, (files) => ({
      openAdmitted: async (path, mode, admit) => {
        const file = await files.open(path, mode);
        admit({ names: [path], mayHaveOthers: false });
        return file;
      },
    })),
  },
  {
    fault: 'the last byte of a write is lost', group, caughtBy: 'one write of 3 MiB is written whole',
    plant: everyFile((file) => ({ write: (bytes) => file.write(bytes.subarray(0, Math.max(0, bytes.length - 1))) })),
  },
  {
    fault: 'a large write is cut off at 1 MiB', group, caughtBy: 'one write of 3 MiB is written whole',
    plant: everyFile((file) => ({ write: (bytes) => file.write(bytes.subarray(0, 2 ** 20)) })),
  },
  {
    fault: 'a read overwrites the buffer behind what it answers for', group, caughtBy: 'a read fills only the bytes that it answers for',
    plant: everyFile((file) => ({ read: async (into) => {
      const count = await file.read(into);
      into.fill(0x5a, count);
      return count;
    } })),
  },
  {
    fault: 'a missing file is an error without its errno', group, caughtBy: 'a missing file cannot be opened with mode r (ENOENT)',
    plant: everyOpen(async (files, path, mode) => {
      try {
        return await files.open(path, mode);
      } catch (error) {
        throw AgentError.failed(error instanceof Error ? error.message : String(error));
      }
    }),
  },
  {
    fault: 'every failure to open is told as ENOENT', group, caughtBy: 'a path through a file leads nowhere (ENOTDIR)',
    plant: everyOpen((files, path, mode) => files.open(path, mode).catch(() => Promise.reject(posixError('ENOENT', { path })))),
  },
  {
    fault: 'errno is negative, as the kernel has it', group, caughtBy: 'a missing file cannot be opened with mode r (ENOENT)',
    plant: everyOpen((files, path, mode) =>
      files.open(path, mode).catch((error: AgentError) => Promise.reject(error.os === undefined ? error : AgentError.os({ ...error.os, errno: -error.os.errno })))),
  },
  {
    fault: 'append writes at the position', group, caughtBy: 'mode a writes to the end wherever the position is',
    plant: everyOpen((files, path, mode) => files.open(path, { ...mode, append: false })),
  },
  {
    fault: 'w does not cut', group, caughtBy: 'mode w cuts what is there',
    plant: everyOpen((files, path, mode) => files.open(path, { ...mode, truncate: false })),
  },
  {
    fault: 'r+ cuts', group, caughtBy: 'mode r+ writes over what is there and cuts nothing',
    plant: everyOpen((files, path, mode) => files.open(path, { ...mode, truncate: mode.write })),
  },
  {
    fault: 'a file that is missing is created for reading, too', group, caughtBy: 'a missing file cannot be opened with mode r+ (ENOENT)',
    plant: everyOpen((files, path, mode) => files.open(path, { ...mode, create: mode.create || mode.write })),
  },
  {
    fault: 'offsets are cut to 32 bits', group, caughtBy: 'offsets beyond 32 bits are exact',
    plant: everyFile((file) => ({ seek: (offset, whence) => file.seek(BigInt.asIntN(32, offset), whence) })),
  },
  {
    fault: 'a seek from the position counts from the start', group, caughtBy: 'a seek counts from the start, the position or the end',
    plant: everyFile((file) => ({ seek: (offset, whence) => file.seek(offset, whence === 'cur' ? 'set' : whence) })),
  },
  {
    fault: 'the end of a file is an error', group, caughtBy: 'reading at the end answers 0',
    plant: everyFile((file) => ({ read: async (into) => {
      const count = await file.read(into);
      if (count === 0 && into.length > 0) throw posixError('EIO');
      return count;
    } })),
  },
  {
    fault: 'closing closes nothing', group, caughtBy: 'a closed file is of no use any more',
    plant: everyFile(() => ({ close: async () => undefined })),
  },
  {
    fault: 'an empty FIFO is at its end', group, caughtBy: 'an empty FIFO says so instead of waiting (EAGAIN)',
    plant: everyFile((file) => ({ read: async (into) => {
      try {
        return await file.read(into);
      } catch {
        return 0;
      }
    } })),
  },
];
