// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { createFakeMachine } from '../../../kit/fake/index.ts';
import { testBackend, type ContractSubject } from '../../../kit/contract/index.ts';
import type { Backend, FileSystem, OpenFile } from '../../../kit/index.ts';
import { fakeSubject } from '../../contract/fake-subject.ts';

interface Declared {
  readonly run: Map<string, () => Promise<void>>;
  readonly skipped: string[];
}

/** A runner that only writes down what is declared. */
async function declare(factory: () => ContractSubject, only: readonly string[]): Promise<Declared> {
  const declared: Declared = { run: new Map(), skipped: [] };
  const collect = Object.assign((name: string, body: () => Promise<void>) => void declared.run.set(name, body), {
    skip: (name: string) => void declared.skipped.push(name),
  });
  await testBackend('broken', factory, { describe: (_, body) => body(), it: collect }, { only });
  return declared;
}

/** Names of the sentences that do not hold. */
async function broken(change: (backend: Backend, subject: ContractSubject) => Backend, ...only: string[]): Promise<readonly string[]> {
  const { run } = await declare(() => {
    const subject = fakeSubject();
    return { ...subject, backend: change(subject.backend, subject) };
  }, only);
  const failed: string[] = [];
  for (const [name, body] of run) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- one test after the other, as a runner would
      await body();
    } catch {
      failed.push(name);
    }
  }
  return failed;
}

const withFileSystem = (backend: Backend, change: (fileSystem: FileSystem) => FileSystem): Backend => ({
  ...backend,
  fileSystem: change(backend.fileSystem ?? {}),
});

/** A backend whose open files behave otherwise. */
const withFiles = (change: (file: OpenFile) => Partial<OpenFile>) => (backend: Backend): Backend =>
  withFileSystem(backend, ({ files, ...rest }) => ({
    ...rest,
    files: {
      open: async (path, mode) => {
        const file = await files?.open(path, mode);
        if (file === undefined) throw new Error('no files');
        const plain: OpenFile = {
          read: (into) => file.read(into), write: (bytes) => file.write(bytes), seek: (offset, whence) => file.seek(offset, whence),
          flush: () => file.flush(), close: () => file.close(),
        };
        return { ...plain, ...change(file) };
      },
    },
  }));

describe('the contract suite', () => {
  it('finds nothing wrong with the fake', async () => {
    expect(await broken((backend) => backend, 'fileSystem.files', 'fileSystem.freezing', 'processes', 'clock')).toEqual([]);
  });

  it('notices offsets that are rounded to 32 bits', async () => {
    const failed = await broken(withFiles((file) => ({ seek: (offset, whence) => file.seek(BigInt.asIntN(32, offset), whence) })), 'fileSystem.files');

    expect(failed).toEqual(['offsets beyond 32 bits are exact']);
  });

  it('notices a write that stops short without an error', async () => {
    const failed = await broken(withFiles((file) => ({ write: (bytes) => file.write(bytes.subarray(0, 65_536)) })), 'fileSystem.files');

    expect(failed).toContain('one write of 3 MiB is written whole and reads back the same in odd pieces');
  });

  it('notices errors that carry no code', async () => {
    const failed = await broken(
      (backend) => withFileSystem(backend, (fileSystem) => ({ ...fileSystem, files: { open: () => Promise.reject(new Error('ENOENT')) } })),
      'fileSystem.files',
    );

    expect(failed).toContain('a missing file cannot be opened with mode r (ENOENT)');
  });

  it('notices a freeze that freezes nothing', async () => {
    const failed = await broken(
      (backend) =>
        withFileSystem(backend, ({ freezing, ...rest }) => ({
          ...rest,
          ...(freezing === undefined ? {} : {
            freezing: {
              survey: () => freezing.survey(), recover: (marker) => freezing.recover(marker), thawEverything: (list) => freezing.thawEverything(list),
              begin: async (request) => {
                const session = await freezing.begin(request);
                // The sentence about deadlines would wait for one that never comes.
                if (request.deadlineMs > 0) return session;
                const { recoveryData, ended } = session;
                const targets = request.levels.flat();
                return {
                  recoveryData, ended,
                  flush: async () => {},
                  freeze: async () => targets.map((target) => ({ ...target, result: 'frozen' as const, frozenAt: 1n })),
                  thaw: async () => targets.toReversed().map((target) => ({ ...target, thawed: true })),
                };
              },
            },
          }),
        })),
      'fileSystem.freezing',
    );

    expect(failed).toContain('a writer waits while its file system is frozen and goes on after the thaw, and reading goes on');
    expect(failed).toContain('what somebody else has frozen is busy, and not thawed by this session');
  });

  it('notices processes whose errors are never told apart', async () => {
    const failed = await broken(
      (backend) => ({
        ...backend,
        processes: {
          canMerge: true,
          spawn: async (request) => {
            const running = await backend.processes?.spawn({ ...request, errors: 'merge' });
            if (running === undefined) throw new Error('no processes');
            return running;
          },
        },
      }),
      'processes',
    );

    expect(failed).toContain('standard output and standard error are told apart');
    expect(failed).not.toContain('merged streams keep the order in which they were written');
  });

  it('skips what a backend lacks and what is not known of its machine, and says why', async () => {
    const only = ['fileSystem.files', 'fileSystem.freezing', 'hooks'];
    const { run, skipped } = await declare(() => {
      const { backend } = createFakeMachine({ without: ['hooks'] });
      return { ...fakeSubject(), backend, safe: {}, knows: {} };
    }, only);

    expect(skipped).toContain('keeps its contract (this backend has no such group)');
    expect(skipped).toContain('a second thaw of a session answers the same (needs file systems that may be frozen)');
    expect([...run.keys()]).toContain('mode w cuts what is there');
  });
});
