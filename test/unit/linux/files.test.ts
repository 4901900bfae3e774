import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
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
  it('creates a file with mode 0666 whatever the umask', async () => {
    const path = join(scratchDirectory(), 'new');
    const before = process.umask(0o077);

    try {
      await (await files.open(path, mode('w'))).close();
    } finally {
      process.umask(before);
    }

    expect(statSync(path).mode & 0o777).toBe(0o666);
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
