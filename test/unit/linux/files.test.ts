// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, closeSync, existsSync, lchownSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { osCode } from '../../../core/errors/agent-error.ts';
import type { OpenFile, OpenMode } from '../../../core/ports/file-system.ts';
import { files } from '../../../adapters/linux/files/files.ts';
import { scratchDirectory } from './support/scratch.ts';

const mode = (text: string): OpenMode => ({
  read: /r|\+/.test(text),
  write: /[wa+]/.test(text),
  append: text.includes('a'),
  create: /[wa]/.test(text),
  truncate: text.includes('w'),
});

const bytes = (text: string): Uint8Array => Buffer.from(text);
const codeOf = async (work: () => unknown): Promise<string | undefined> => {
  try {
    await work();
    return undefined;
  } catch (error) {
    return osCode(error);
  }
};

async function readAll(file: OpenFile): Promise<string> {
  const pieces: Buffer[] = [];
  const into = Buffer.alloc(1000);
  for (;;) {
    const count = await file.read(into);
    if (count === 0) return Buffer.concat(pieces).toString();
    pieces.push(Buffer.from(into.subarray(0, count)));
  }
}

describe('opening files', () => {
  it('creates a file with mode 0644 whatever the umask', async () => {
    const path = join(scratchDirectory(), 'new');
    const before = process.umask(0o077);

    try {
      await (await files.open(path, mode('w'))).close();
    } finally {
      process.umask(before);
    }

    expect(statSync(path).mode & 0o777).toBe(0o644);
  });

  it('leaves the mode of a file that is there', async () => {
    const path = join(scratchDirectory(), 'old');
    writeFileSync(path, 'text');
    chmodSync(path, 0o640);

    await (await files.open(path, mode('w'))).close();

    expect(statSync(path).mode & 0o777).toBe(0o640);
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  it('creates nothing at the target of a dangling link', async () => {
    const directory = scratchDirectory();
    symlinkSync(join(directory, 'target'), join(directory, 'link'));

    const code = await codeOf(() => files.open(join(directory, 'link'), mode('w')));

    expect(code).toBe('ENOENT');
    expect(existsSync(join(directory, 'target'))).toBe(false);
  });

  it('says what the system said, with the path', async () => {
    const path = join(scratchDirectory(), 'none', 'file');

    const opening = files.open(path, mode('w'));

    await expect(opening).rejects.toMatchObject({
      kind: 'os',
      message: 'No such file or directory',
      os: { code: 'ENOENT', errno: 2, syscall: 'open', path },
    });
  });

  it('refuses a path with a NUL, which the system would cut there', async () => {
    expect(await codeOf(() => files.open('/etc/passwd\0.txt', mode('r')))).toBe('EINVAL');
  });

  it('opens a directory, of which the first read fails', async () => {
    const file = await files.open(scratchDirectory(), mode('r'));

    expect(await codeOf(() => file.read(Buffer.alloc(10)))).toBe('EISDIR');
    await file.close();
  });

  it('does not wait for the other side of a FIFO', async () => {
    const path = join(scratchDirectory(), 'fifo');
    execFileSync('mkfifo', [path]);

    const reader = await files.open(path, mode('r'));
    const writer = await files.open(path, mode('w'));

    expect(await codeOf(() => reader.read(Buffer.alloc(10)))).toBe('EAGAIN');
    await writer.write(bytes('three'));
    expect(await reader.read(Buffer.alloc(10))).toBe(5);
    expect(await codeOf(() => reader.seek(0n, 'set'))).toBe('ESPIPE');
    await writer.close();
    expect(await reader.read(Buffer.alloc(10))).toBe(0);
    await reader.close();
    expect(await codeOf(() => files.open(path, mode('w')))).toBe('ENXIO');
  });
});

describe('a directory in which everybody may write, with the sticky bit', () => {
  const isRoot = process.getuid?.() === 0;
  const other = 65534;
  const notFollowed = 'Permission denied (a link of another user in a directory that everybody may write to is not followed)';
  const notOpened = 'Permission denied (a file of another user in a directory that others may write to is not opened with this mode)';

  function shared(permissions = 0o1777): { readonly directory: string; readonly precious: string } {
    const scratch = scratchDirectory();
    const directory = join(scratch, 'shared');
    mkdirSync(directory);
    chmodSync(directory, permissions);
    const precious = join(scratch, 'precious');
    writeFileSync(precious, 'precious');
    return { directory, precious };
  }

  it.skipIf(!isRoot).each(['r', 'r+', 'w', 'a'] as const)('has no link of another user followed with mode %s (needs root)', async (name) => {
    const { directory, precious } = shared();
    symlinkSync(precious, join(directory, 'link'));
    lchownSync(join(directory, 'link'), other, other);

    await expect(files.open(join(directory, 'link'), mode(name))).rejects.toMatchObject({ message: notFollowed, os: { code: 'EACCES', osText: notFollowed, syscall: 'open' } });
    expect(readFileSync(precious, 'utf8')).toBe('precious');
  });

  it.skipIf(!isRoot)('has no such link followed in the middle of a path, or at the end of another link (needs root)', async () => {
    const { directory, precious } = shared();
    symlinkSync('..', join(directory, 'up'));
    lchownSync(join(directory, 'up'), other, other);
    symlinkSync(precious, join(directory, 'link'));
    lchownSync(join(directory, 'link'), other, other);
    symlinkSync(join(directory, 'link'), join(directory, '..', 'mine'));

    await expect(files.open(join(directory, 'up/precious'), mode('w'))).rejects.toThrow(notFollowed);
    await expect(files.open(join(directory, '../mine'), mode('w'))).rejects.toThrow(notFollowed);
    expect(readFileSync(precious, 'utf8')).toBe('precious');
  });

  it.skipIf(!isRoot)('has the links of the agent’s user and of its owner followed (needs root)', async () => {
    const { directory, precious } = shared();
    symlinkSync(precious, join(directory, 'mine'));
    symlinkSync(precious, join(directory, 'owners'));
    chownSync(directory, other, other);
    lchownSync(join(directory, 'owners'), other, other);

    for (const name of ['mine', 'owners']) await (await files.open(join(directory, name), mode('r'))).close();
  });

  it.skipIf(!isRoot)('has no file of another user opened by who would have made it (needs root)', async () => {
    for (const permissions of [0o1777, 0o1775]) {
      const { directory } = shared(permissions);
      const path = join(directory, 'planted');
      writeFileSync(path, 'theirs');
      chownSync(path, other, other);

      for (const name of ['w', 'w+', 'a', 'a+'] as const) await expect(files.open(path, mode(name))).rejects.toMatchObject({ message: notOpened });
      for (const name of ['r', 'r+'] as const) await (await files.open(path, mode(name))).close();
      expect(readFileSync(path, 'utf8')).toBe('theirs');
    }
  });

  it.skipIf(!isRoot)('has no FIFO of another user opened by who would have made it (needs root)', async () => {
    const { directory } = shared();
    execFileSync('mkfifo', [join(directory, 'fifo')]);
    chownSync(join(directory, 'fifo'), other, other);

    await expect(files.open(join(directory, 'fifo'), mode('w'))).rejects.toThrow(notOpened);
  });

  it.skipIf(!isRoot)('without the sticky bit has none of these rules, as the kernel has it (needs root)', async () => {
    const { directory, precious } = shared(0o777);
    symlinkSync(precious, join(directory, 'link'));
    lchownSync(join(directory, 'link'), other, other);

    await (await files.open(join(directory, 'link'), mode('w'))).close();

    expect(readFileSync(precious, 'utf8')).toBe('');
  });

  it('has files made, found again and cut off that are the agent’s own', async () => {
    const { directory } = shared();

    for (const text of ['one', 'two']) {
      const file = await files.open(join(directory, 'own'), mode('w'));
      await file.write(bytes(text));
      await file.close();
    }

    expect(readFileSync(join(directory, 'own'), 'utf8')).toBe('two');
  });
});

describe('a path', () => {
  it.each([
    ['w', 'new/', 'EISDIR'],
    ['r', 'file/', 'ENOTDIR'],
    ['w', 'directory/.', 'EISDIR'],
    ['r', 'ring', 'ELOOP'],
    ['w', 'ring', 'ELOOP'],
    ['w', 'missing/new', 'ENOENT'],
    ['w', '', 'ENOENT'],
    ['r', `${'./'.repeat(2048)}file`, 'ENAMETOOLONG'],
    ['w', `${'./'.repeat(2048)}new`, 'ENAMETOOLONG'],
  ] as const)('means for mode %s what open(2) makes of it: %s is %s', async (name, path, code) => {
    const directory = scratchDirectory();
    mkdirSync(join(directory, 'directory'));
    writeFileSync(join(directory, 'file'), '');
    symlinkSync('ring', join(directory, 'ring'));

    expect(await codeOf(() => files.open(path === '' ? '' : `${directory}/${path}`, mode(name)))).toBe(code);
  });

  it('may go through what the kernel alone can follow', async () => {
    const path = join(scratchDirectory(), 'file');
    writeFileSync(path, 'text');
    const held = openSync(path, 'r+');
    renameSync(path, `${path}.moved`);

    const file = await files.open(`/proc/self/fd/${held}`, mode('r'));
    const through = await files.open(`/proc/self/root${path}.moved`, mode('r'));

    expect([await readAll(file), await readAll(through)]).toEqual(['text', 'text']);
    await file.close();
    await through.close();
    await (await files.open('/proc/mounts', mode('r'))).close();
    closeSync(held);
  });
});

describe('an open file', () => {
  it('has one position for reading and writing', async () => {
    const file = await files.open(join(scratchDirectory(), 'file'), mode('w+'));

    await file.write(bytes('hello world'));
    expect(await file.seek(-5n, 'cur')).toBe(6n);
    expect(await readAll(file)).toBe('world');
    expect(await file.seek(-1n, 'end')).toBe(10n);
    await file.write(bytes('D!'));
    expect(await file.seek(0n, 'set')).toBe(0n);
    expect(await readAll(file)).toBe('hello worlD!');
    await file.close();
  });

  it('appends wherever the position is', async () => {
    const path = join(scratchDirectory(), 'log');
    writeFileSync(path, 'one ');
    const file = await files.open(path, mode('a+'));

    await file.seek(0n, 'set');
    await file.write(bytes('two'));
    await file.close();

    expect(readFileSync(path, 'utf8')).toBe('one two');
  });

  it('keeps positions past 2^53 exact', async () => {
    // The only regular file that goes so far.
    const file = await files.open('/proc/self/mem', mode('r'));

    const far = await file.seek(2n ** 62n + 1n, 'set');

    expect(far).toBe(2n ** 62n + 1n);
    expect(await codeOf(() => file.seek(2n ** 63n, 'set'))).toBe('EINVAL');
    await file.close();
  });

  it('has no position before its start', async () => {
    const file = await files.open(join(scratchDirectory(), 'file'), mode('w+'));

    expect(await codeOf(() => file.seek(-1n, 'set'))).toBe('EINVAL');
    await file.close();
  });

  it('writes several megabytes in one call', async () => {
    const path = join(scratchDirectory(), 'large');
    const content = Buffer.alloc(5 * 1024 * 1024 + 7, 'pattern');
    const file = await files.open(path, mode('w'));

    await file.write(content);
    await file.close();

    expect(readFileSync(path).equals(content)).toBe(true);
  });

  it('is not read where it was opened for writing only, nor the other way round', async () => {
    const directory = scratchDirectory();
    const written = await files.open(join(directory, 'file'), mode('w'));
    const read = await files.open(join(directory, 'file'), mode('r'));

    expect(await codeOf(() => written.read(Buffer.alloc(1)))).toBe('EBADF');
    expect(await codeOf(() => read.write(bytes('x')))).toBe('EBADF');
    await written.close();
    await read.close();
  });

  it('tells of a full device', async () => {
    const file = await files.open('/dev/full', mode('r+'));

    await expect(Promise.resolve(file.write(bytes('x')))).rejects.toMatchObject({ message: 'No space left on device' });
    await file.close();
  });

  it('reads files that the kernel makes up', async () => {
    const file = await files.open('/proc/self/status', mode('r'));

    expect(await readAll(file)).toMatch(/^Name:/);
    await file.close();
  });

  it('is unusable once closed', async () => {
    const file = await files.open('/proc/self/status', mode('r'));
    await file.close();

    expect(await codeOf(() => file.read(Buffer.alloc(1)))).toBe('EBADF');
    expect(await codeOf(() => file.close())).toBe('EBADF');
  });

  it('takes its descriptor back', async () => {
    const path = join(scratchDirectory(), 'file');
    const file = await files.open(path, mode('w'));
    const held = openPaths();

    await file.close();

    expect(held).toContain(path);
    expect(openPaths()).not.toContain(path);
  });
});

function openPaths(): string[] {
  return readdirSync('/proc/self/fd').flatMap((number) => {
    try {
      return [readlinkSync(`/proc/self/fd/${number}`)];
    } catch {
      // The directory's own, closed by now.
      return [];
    }
  });
}
