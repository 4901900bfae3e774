// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from 'vitest';

import { FakeStateStore } from '../../../adapters/fake/state-store.ts';
import { AgentError } from '../../../core/errors/agent-error.ts';
import type { OpenMode } from '../../../core/ports/index.ts';
import { FileHandleTable, MAX_OPEN_FILES } from '../../../core/state/file-handles.ts';
import { MemoryFiles } from '../commands/support/files.ts';

const mode: OpenMode = { read: true, write: true, append: false, create: true, truncate: false };

let files: MemoryFiles;
let store: FakeStateStore;
let table: FileHandleTable;

beforeEach(() => {
  files = new MemoryFiles();
  store = new FakeStateStore();
  table = new FileHandleTable(files, store);
});

describe('files of an earlier agent', () => {
  it('are found under their handles', async () => {
    const file = await files.open('/f', mode);
    const next = new FileHandleTable(files, store);

    next.takeOver({ handle: 1007n, file });

    expect(next.size).toBe(1);
    await next.close(1007n);
    expect(files.opened.map(({ closed }) => closed)).toEqual([true]);
  });
});

describe('handle numbers', () => {
  it('are handed out one after the other, and none is taken that nobody needs', async () => {
    const handles: bigint[] = [];
    for (let index = 0; index < 100; index += 1) handles.push(await table.open('/f', mode));

    expect(handles).toEqual(Array.from({ length: 100 }, (_, index) => 1000n + BigInt(index)));
    expect(store.nextHandle).toBe(1100n);
  });

  it('are different for files that are opened side by side', async () => {
    const handles = await Promise.all(Array.from({ length: 200 }, () => table.open('/f', mode)));

    expect(new Set(handles).size).toBe(200);
  });

  it('of files that are opened side by side are all set aside first, so that no later agent gives them again', async () => {
    const handles = await Promise.all(Array.from({ length: 200 }, () => table.open('/f', mode)));
    handles.push(await table.open('/f', mode));

    const ofTheNext = await new FileHandleTable(files, store).open('/f', mode);

    expect(handles).not.toContain(ofTheNext);
    expect(ofTheNext).toBe(1201n);
  });

  it('that turn out to be lacking when the file is open close it again', async () => {
    let left = 2;
    const running = new FileHandleTable(files, {
      reserveHandles: async () => {
        left -= 1;
        if (left < 0) throw AgentError.failed('failed to commit persistent state to disk');
        return BigInt(left);
      },
    });
    files.slow = true;
    const closeFails = files.open.bind(files);
    files.open = async (path, how) => {
      const file = await closeFails(path, how);
      files.opened.at(-1)!.closeFailure = 'EIO';
      return file;
    };

    const outcomes = await Promise.allSettled(Array.from({ length: 3 }, () => running.open('/f', mode)));

    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
    expect(outcomes[2]).toMatchObject({ reason: { message: 'failed to commit persistent state to disk' } });
    expect(files.opened.map(({ closed }) => closed)).toEqual([false, false, true]);
    expect(running.size).toBe(2);
  });

  it('are needed before a file is created', async () => {
    const broken = new FileHandleTable(files, {
      reserveHandles: () => Promise.reject(AgentError.failed('failed to commit persistent state to disk')),
    });

    await expect(broken.open('/f', mode)).rejects.toThrow('failed to commit persistent state to disk');
    expect(files.contents.size).toBe(0);
    expect(broken.size).toBe(0);
  });
});

it('opens as many files as the limit says and no more, until one is closed', async () => {
  const handles = await Promise.all(Array.from({ length: MAX_OPEN_FILES }, () => table.open('/f', mode)));

  await expect(table.open('/f', mode)).rejects.toThrow('1024 files are open already');
  await table.close(handles[5]!);
  await expect(table.open('/f', mode)).resolves.toBeTypeOf('bigint');
});

const use = async (handle: bigint, call: () => void | Promise<void>): Promise<void> => table.use(handle, call);

describe('calls on one file', () => {
  it('go one after the other in the order in which they came', async () => {
    const handle = await table.open('/f', mode);
    const order: string[] = [];
    const first = Promise.withResolvers<void>();

    const calls: Promise<void>[] = [
      use(handle, async () => { await first.promise; order.push('first'); }),
      use(handle, () => { order.push('second'); }),
      use(handle, () => { order.push('third'); }),
    ];
    first.resolve();
    await Promise.all(calls);

    expect(order).toEqual(['first', 'second', 'third']);
  });

  it('do not wait for those on another', async () => {
    const [stuck, free] = [await table.open('/a', mode), await table.open('/b', mode)];
    void table.use(stuck, () => new Promise<void>(() => undefined));

    expect(table.use(free, () => 'done')).toBe('done');
  });

  it('go on after one that failed', async () => {
    const handle = await table.open('/f', mode);

    await expect(table.use(handle, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(() => table.use(handle, () => { throw new Error('broken too'); })).toThrow('broken too');
    expect(table.use(handle, () => 'fine')).toBe('fine');
  });

  it('find nothing any more when the one before them closed it', async () => {
    const handle = await table.open('/f', mode);
    const first = Promise.withResolvers<void>();
    void table.use(handle, () => first.promise);

    const closing = table.close(handle);
    const late = [table.use(handle, () => 1), table.use(handle, () => 2)];
    first.resolve();

    await closing;
    await expect(late[0]).rejects.toThrow(`handle '${handle}' has not been found`);
    await expect(late[1]).rejects.toThrow(`handle '${handle}' has not been found`);
  });
});

it('closes everything at the end, and does not wait for a file that is stuck', async () => {
  const [stuck] = [await table.open('/a', mode), await table.open('/b', mode), await table.open('/c', mode)];
  const call = Promise.withResolvers<void>();
  const busy = table.use(stuck, () => call.promise);
  files.opened[1]!.closeFailure = 'EIO';

  await table.closeAll();

  expect(files.opened.map(({ closed }) => closed)).toEqual([false, true, true]);
  files.opened[0]!.closeFailure = 'EIO';
  call.resolve();
  await busy;
  await table.closeAll();
  expect(files.opened[0]!.closed).toBe(true);
});

