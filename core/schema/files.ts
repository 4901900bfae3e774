// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { alternateOf, base64, bool, enumOf, int, nothing, optional, required, str, strAmong, struct } from './types.ts';

const handle = required(int, 'A number from guest-file-open.');
const unknownHandle = ["handle 'N' has not been found", 'no file is open under that number'] as const;
const badCount = ["value 'N' is invalid for argument count", 'the count is out of range'] as const;

export const guestFileOpen = command({
  name: 'guest-file-open',
  since: '0.15',
  group: 'files',
  summary: 'Opens a file in the guest. Reading and writing never wait for the other side of a FIFO or a terminal.',
  arguments: {
    path: required(str, 'Where it is; a relative path counts from the working directory of the agent.', { judged: 'file', shown: true }),
    mode: optional(
      strAmong(['r', 'rb', 'w', 'wb', 'a', 'ab', 'r+', 'rb+', 'r+b', 'w+', 'wb+', 'w+b', 'a+', 'ab+', 'a+b']),
      'As in fopen(3): `r` (default), `w`, `a`, `r+`, `w+`, `a+`, each also with `b`. A file that is created has mode 0644, '
        + 'whatever the umask, or the one of the setting `file-mode`.',
      { shown: true },
    ),
  },
  result: int,
  resultDoc: 'The handle: a number that no other file had or will have on this guest.',
  needs: 'fileSystem.files',
  errors: [
    ["invalid file open mode 'MODE'", 'fopen(3) has no such mode'],
    ["failed to open file 'PATH' (mode: 'MODE'): STRERROR", 'the system refused'],
    ['failed to commit persistent state to disk', 'no handle number could be set aside'],
    ["failed to open file 'PATH' (mode: 'MODE'): N files are open already", 'the limit of open files is reached'],
  ],
});

export const guestFileClose = command({
  name: 'guest-file-close',
  since: '0.15',
  group: 'files',
  follows: 'file',
  summary: 'Closes an open file. The handle is gone afterwards, whatever the system says of the closing.',
  arguments: { handle },
  result: nothing,
  needs: 'fileSystem.files',
  errors: [unknownHandle, ['failed to close handle: STRERROR', 'the system reported an earlier failure']],
});

export const guestFileReadResult = struct('GuestFileRead', {
  count: required(int, 'How many bytes were read (before the encoding).'),
  'buf-b64': required(base64, 'The bytes in base64.'),
  eof: required(bool, 'Whether the end of the file was met while reading.'),
});

export const guestFileRead = command({
  name: 'guest-file-read',
  since: '0.15',
  group: 'files',
  onlyAsks: true,
  follows: 'file',
  summary: 'Reads from an open file, from its position on.',
  arguments: {
    handle,
    count: optional(int, 'At most how many bytes: 0 to 50331648 (48 MiB), 4096 by default.', { judged: 'size' }),
  },
  result: guestFileReadResult,
  needs: 'fileSystem.files',
  errors: [unknownHandle, badCount, ['failed to read file: STRERROR', 'the system refused']],
});

export const guestFileWriteResult = struct('GuestFileWrite', {
  count: required(int, 'How many bytes were written (after the decoding).'),
  eof: required(bool, 'Always false.'),
});

export const guestFileWrite = command({
  name: 'guest-file-write',
  since: '0.15',
  group: 'files',
  follows: 'file',
  summary: 'Writes to an open file, from its position on. The bytes are with the operating system when the answer comes.',
  arguments: {
    handle,
    'buf-b64': required(base64, 'The bytes in base64; line feeds within are passed over.', { judged: 'size' }),
    count: optional(int, 'How many of them to write; all by default.'),
  },
  result: guestFileWriteResult,
  needs: 'fileSystem.files',
  errors: [
    unknownHandle,
    ['Base64 data contains invalid characters', '`buf-b64` is not base64 of the standard alphabet'],
    badCount,
    ['failed to write to file: STRERROR', 'the system refused'],
  ],
});

export const guestFileSeekResult = struct(
  'GuestFileSeek',
  {
    position: required(int, 'Where it is now, in bytes from the start of the file.'),
    eof: required(bool, 'Always false.'),
  },
  ['eof', 'position'],
);

export const guestFileWhence = alternateOf('GuestFileWhence', int, enumOf('QGASeek', ['set', 'cur', 'end']));

export const guestFileSeek = command({
  name: 'guest-file-seek',
  since: '0.15',
  group: 'files',
  onlyAsks: true,
  follows: 'file',
  summary: 'Moves the position of an open file. An offset of 0 from `cur` only tells it.',
  arguments: {
    handle,
    offset: required(int, 'Bytes to move by, negative for backwards.'),
    whence: required(guestFileWhence, 'Where from: the start (`set`, 0), the position (`cur`, 1) or the end (`end`, 2).'),
  },
  result: guestFileSeekResult,
  needs: 'fileSystem.files',
  errors: [
    unknownHandle,
    ['invalid whence code N', 'a number other than 0, 1 and 2'],
    ['failed to seek file: STRERROR', 'before the start, or a FIFO'],
  ],
});

export const guestFileFlush = command({
  name: 'guest-file-flush',
  since: '0.15',
  group: 'files',
  onlyAsks: true,
  follows: 'file',
  summary: 'Hands over to the operating system what was written to a file. Not a synchronisation to the disk.',
  arguments: { handle },
  result: nothing,
  needs: 'fileSystem.files',
  errors: [unknownHandle, ['failed to flush file: STRERROR', 'the system refused']],
});
