// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, it, vi } from 'vitest';

import { RememberedFiles, type StampFile } from '../../../adapters/linux/remembered-file.ts';

const longAgo = 1_000_000;

function remembered(stamp: StampFile | undefined, ...contents: string[]) {
  const readFile = vi.fn(async () => Buffer.from(contents.shift() ?? ''));
  const files = new RememberedFiles({ readFile, parse: (bytes) => Buffer.from(bytes).toString(), limit: 100, ...(stamp === undefined ? {} : { stamp }) });
  return { files, readFile };
}

describe('a file that is remembered', () => {
  it('is read once as long as it stays the same', async () => {
    const { files, readFile } = remembered(() => ['same', longAgo], 'first', 'second');

    const values = [await files.get('/etc/x'), await files.get('/etc/x')];

    expect(values).toEqual(['first', 'first']);
    expect(readFile).toHaveBeenCalledTimes(1);
  });

  it('is read again when it is another one', async () => {
    let version = 1;
    const { files } = remembered(() => [String(version), longAgo], 'first', 'second');
    await files.get('/etc/x');
    version = 2;

    expect(await files.get('/etc/x')).toBe('second');
  });

  it('is not remembered when it changed a moment ago: it may change again within the same tick', async () => {
    const { files } = remembered(() => ['same', Date.now()], 'first', 'second');
    await files.get('/etc/x');

    expect(await files.get('/etc/x')).toBe('second');
  });

  it('is not remembered when it changed while it was read', async () => {
    const versions = ['before', 'after', 'after', 'after'];
    const { files } = remembered(() => [versions.shift() ?? 'after', longAgo], 'first', 'second');
    await files.get('/etc/x');

    expect(await files.get('/etc/x')).toBe('second');
  });

  it('is read every time where its version can\'t be told', async () => {
    const { files } = remembered(() => -11, 'first', 'second');
    await files.get('/etc/x');

    expect(await files.get('/etc/x')).toBe('second');
  });

  it('that can\'t be read is an error every time', async () => {
    const readFile = vi.fn(async () => Promise.reject(new Error('EIO')));
    const files = new RememberedFiles({ readFile, parse: () => '', limit: 100, stamp: () => ['same', longAgo] });
    await expect(files.get('/etc/x')).rejects.toThrow('EIO');

    await expect(files.get('/etc/x')).rejects.toThrow('EIO');
  });

  it('has another version to the kernel after it was replaced by one of the same length and time', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'concierge-remembered-'));
    const path = join(directory, 'file');
    const write = (text: string): void => {
      rmSync(path, { force: true });
      writeFileSync(path, text);
      utimesSync(path, 1000, 1000);
    };
    const contents = ['first', 'other'];
    try {
      write('first');
      const { files } = remembered(undefined, ...contents);
      await files.get(path);
      write('other');

      expect(await files.get(path)).toBe('other');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
