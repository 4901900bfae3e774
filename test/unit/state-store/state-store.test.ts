// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lchownSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { survivesReboot } from '../../../adapters/state-store/boot.ts';
import type { LockFile } from '../../../adapters/state-store/directory-lock.ts';
import { FileStateStore } from '../../../adapters/state-store/state-store.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import type { FreezeMarkerData } from '../../../core/ports/index.ts';

let directory: string;
let warnings: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-state-'));
  warnings = [];
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const boot = { id: 'this-boot', at: 1_700_000_000_000 };
const microseconds = 1_750_000_000_000_000n;

function open(given: { readonly boot?: typeof boot; readonly directory?: string; readonly lock?: LockFile } = {}): FileStateStore {
  return new FileStateStore({ directory, boot, warn: (line) => warnings.push(line), now: () => microseconds * 1000n, ...given });
}

const path = (name: string): string => join(directory, name);
const counterFile = (): string => readFileSync(path('qga.state'), 'utf8');

describe('file handle numbers', () => {
  it('begin at 1000 as in qemu-ga, with a private file that says so', () => {
    open();

    expect(counterFile()).toBe('[global]\nfd_counter=1000\n');
    expect(statSync(path('qga.state')).mode & 0o777).toBe(0o600);
    expect(warnings).toEqual([]);
  });

  it('go on from where qemu-ga stopped', async () => {
    writeFileSync(path('qga.state'), '[global]\nfd_counter=1234\n');

    const store = open();

    expect(await store.reserveHandles(1)).toBe(1234n);
    expect(await store.reserveHandles(10)).toBe(1235n);
    expect(await store.reserveHandles(1)).toBe(1245n);
  });

  it('are exact in the file after an orderly end, so that qemu-ga can go on', async () => {
    const store = open();
    await store.reserveHandles(1);
    await store.reserveHandles(1);

    store.close();

    expect(counterFile()).toBe('[global]\nfd_counter=1002\n');
  });

  it('are not handed out twice by an agent that follows one which was killed', async () => {
    const killed = open();
    const before = [await killed.reserveHandles(1), await killed.reserveHandles(70), await killed.reserveHandles(3)];

    const after = await open().reserveHandles(1);

    expect(after).toBeGreaterThan(before[2]! + 2n);
  });

  it('stay apart when many ask at once', async () => {
    const store = open();

    const firsts = await Promise.all(Array.from({ length: 200 }, () => store.reserveHandles(3)));

    const numbers = firsts.flatMap((first) => [first, first + 1n, first + 2n]);
    expect(new Set(numbers).size).toBe(600);
    store.close();
    expect(counterFile()).toBe('[global]\nfd_counter=1600\n');
  });

  it('pass 32 and 53 bits', async () => {
    writeFileSync(path('qga.state'), '[global]\nfd_counter=9007199254740993\n');

    expect(await open().reserveHandles(1)).toBe(9007199254740993n);
  });

  it.each([
    ['garbage', 'garbage'],
    ['no group', 'fd_counter=5\n'],
    ['another group', '[x]\nfd_counter=5\n'],
    ['a word', '[global]\nfd_counter=abc\n'],
    ['too large a number', '[global]\nfd_counter=99999999999999999999\n'],
    ['what qemu-ga writes after 2^31 opens', '[global]\nfd_counter=-2147483647\n'],
    ['an empty file', ''],
    ['bytes', '\u0000\uFFFD[global'],
  ])('go on from the time of day after %s, and the damaged file is kept', async (_, text) => {
    writeFileSync(path('qga.state'), text);

    const store = open();

    expect(await store.reserveHandles(1)).toBe(microseconds);
    const kept = readdirSync(directory).find((name) => name.startsWith('qga.state.corrupt-'));
    expect(readFileSync(path(kept!), 'utf8')).toBe(text);
    expect(warnings[0]).toContain('is damaged: it is kept as');
  });

  it('go past any number that can still be read in a damaged file', async () => {
    writeFileSync(path('qga.state'), 'x fd_counter=8000000000000000\n');

    expect(await open().reserveHandles(1)).toBe(8_000_000_000_000_001n);
  });

  it('go on from the time of day where an agent was here and its file is gone', async () => {
    open();
    rmSync(path('qga.state'));

    const store = open();

    expect(await store.reserveHandles(1)).toBe(microseconds);
    expect(warnings[0]).toContain('is gone');
  });

  it('are refused while they cannot be written down, and not used up by it', async () => {
    const store = open();
    rmSync(directory, { recursive: true });

    await expect(store.reserveHandles(1)).rejects.toThrow('failed to commit persistent state to disk');
    expect(warnings[0]).toBe(`failed to write persistent state to ${path('qga.state')}: No such file or directory`);

    mkdirSync(directory);
    expect(await store.reserveHandles(1)).toBe(1000n);
  });
});

describe('the state directory', () => {
  it('is created with those above it, for nobody else to read', () => {
    const below = join(directory, 'a', 'b');

    open({ directory: below });

    expect(statSync(below).mode & 0o777).toBe(0o700);
  });

  it.skipIf(process.platform !== 'linux')('is an error where the kernel makes none (needs /proc)', () => {
    expect(() => open({ directory: '/proc/no-such/state' })).toThrow("unable to create (an ancestor of) the state directory '/proc/no-such/state': No such file or directory");
  });

  it('has to be one', () => {
    writeFileSync(path('file'), '');

    expect(() => open({ directory: path('file') })).toThrow(`unable to access state file at path ${path('file')}/qga.state.isfrozen: Not a directory`);
  });

  it('belongs to one agent, and the second is told which', () => {
    open();
    const held: LockFile = () => {
      throw posixError('EAGAIN', { syscall: 'fcntl' });
    };

    expect(() => open({ lock: held })).toThrow(
      `another agent (process ${process.pid}) uses the state directory ${directory}: stop it, or give this one a directory of its own with --statedir`,
    );
  });

  it('is not followed to where somebody planted a link', () => {
    writeFileSync(path('elsewhere'), 'precious');
    rmSync(path('concierge-ga.lock'), { force: true });
    symlinkSync('elsewhere', path('concierge-ga.lock'));

    expect(() => open()).toThrow(
      `the state directory ${directory} is not used: ${path('concierge-ga.lock')} is a symbolic link: remove it, or choose another directory with --statedir`,
    );
    expect(readFileSync(path('elsewhere'), 'utf8')).toBe('precious');
  });
});

describe.skipIf(process.platform === 'win32')('a state directory that others may have written to', () => {
  const isRoot = process.getuid?.() === 0;
  const refused = (reason: string): string => `the state directory ${directory} is not used: ${reason}, or choose another directory with --statedir`;

  it.skipIf(!isRoot)('is refused where it belongs to another user, and nothing is written there (needs root)', () => {
    writeFileSync(path('qga.state.isfrozen'), '{"format":1}');
    chownSync(directory, 65534, 65534);

    expect(() => open()).toThrow(refused(`${directory} belongs to user 65534 and not to root: run chown root on it`));
    expect(readdirSync(directory)).toEqual(['qga.state.isfrozen']);
  });

  it.skipIf(!isRoot)('is refused where one above it belongs to another user, be it missing itself (needs root)', () => {
    chownSync(directory, 65534, 65534);

    expect(() => open({ directory: path('a') })).toThrow(`the state directory ${path('a')} is not used: ${directory} belongs to user 65534 and not to root`);
    expect(readdirSync(directory)).toEqual([]);
  });

  it.skipIf(!isRoot)('is refused where a link of another user leads to it (needs root)', () => {
    mkdirSync(path('real'), { mode: 0o700 });
    symlinkSync('real', path('link'));
    lchownSync(path('link'), 65534, 65534);

    expect(() => open({ directory: path('link') })).toThrow(`${path('link')} belongs to user 65534`);
  });

  it.each([
    ['everybody, even with the sticky bit', 0o1777, 'everybody: choose a directory in it'],
    ['everybody', 0o777, 'everybody: run chmod o-w on it'],
  ])('is refused where it can be written by %s', (_, mode, who) => {
    chmodSync(directory, mode);

    expect(() => open()).toThrow(refused(`${directory} can be written by ${who}`));
  });

  it.skipIf(!isRoot).each(['qga.state', 'qga.state.isfrozen', 'concierge-ga.lock'])('with %s of another user in it is refused (needs root)', (name) => {
    writeFileSync(path(name), '{}');
    chownSync(path(name), 65534, 65534);

    expect(() => open()).toThrow(refused(`${path(name)} belongs to user 65534 and not to root: run chown root on it`));
  });

  it.each(['qga.state', 'qga.state.isfrozen', 'concierge-ga.lock'])('with a link in place of %s is refused', (name) => {
    writeFileSync(path('elsewhere'), 'precious');
    symlinkSync('elsewhere', path(name));

    expect(() => open()).toThrow(refused(`${path(name)} is a symbolic link: remove it`));
    expect(readFileSync(path('elsewhere'), 'utf8')).toBe('precious');
  });

  it.each(['qga.state', 'qga.state.isfrozen', 'concierge-ga.lock'])('with a FIFO in place of %s is refused, and not waited for', (name) => {
    execFileSync('mkfifo', ['-m', '600', path(name)]);

    expect(() => open()).toThrow(refused(`${path(name)} is no file: remove it`));
  });

  it('is not written to through a link in place of a new file: what was left there half written gives way', async () => {
    writeFileSync(path('elsewhere'), 'precious');
    for (const name of ['qga.state.new', 'qga.state.isfrozen.new']) symlinkSync('elsewhere', path(name));

    const store = open();
    await store.reserveHandles(1);
    await store.writeFreezeMarker({ bootId: boot.id, targets: [], deadlineAt: 0n, recoveryData: {} });

    expect(readFileSync(path('elsewhere'), 'utf8')).toBe('precious');
    expect(readdirSync(directory).toSorted()).toEqual(['concierge-ga.lock', 'elsewhere', 'qga.state', 'qga.state.isfrozen']);
  });

  it('stays the one that was judged when its name is given to another', async () => {
    const state = path('state');
    const store = open({ directory: state });
    renameSync(state, path('moved'));
    mkdirSync(state);

    await store.writeFreezeMarker({ bootId: boot.id, targets: [], deadlineAt: 0n, recoveryData: {} });

    expect(readdirSync(state)).toEqual([]);
    expect(readdirSync(path('moved'))).toContain('qga.state.isfrozen');
  });

  it('passes where all of it is the agent’s below a sticky directory of everybody’s', () => {
    mkdirSync(path('shared'));
    chmodSync(path('shared'), 0o1777);
    mkdirSync(path('shared/own'), { mode: 0o755 });

    open({ directory: path('shared/own') });

    expect(readdirSync(path('shared/own'))).toContain('qga.state');
  });
});

describe('the freeze marker', () => {
  const marker: FreezeMarkerData = {
    bootId: boot.id,
    targets: [{ id: '8:1', mountPoint: '/data \n"x"' }],
    deadlineAt: 1_750_000_000_123_456_789n,
    recoveryData: { pid: '17' },
  };

  it('comes back as it was, to the agent that comes next', async () => {
    await open().writeFreezeMarker(marker);

    expect(await open().readFreezeMarker()).toEqual(marker);
    expect(statSync(path('qga.state.isfrozen')).mode & 0o777).toBe(0o600);
  });

  it('is gone once it was removed, and need not be there for that', async () => {
    const store = open();
    await store.writeFreezeMarker(marker);

    await store.removeFreezeMarker();
    await store.removeFreezeMarker();

    expect(await store.readFreezeMarker()).toBeUndefined();
  });

  it('of an earlier boot is removed, with a warning', async () => {
    await open().writeFreezeMarker({ ...marker, bootId: 'earlier' });

    const store = open();

    expect(await store.readFreezeMarker()).toBeUndefined();
    expect(readdirSync(directory)).not.toContain('qga.state.isfrozen');
    expect(warnings[0]).toContain('was written in an earlier boot');
  });

  it.each([['empty, as qemu-ga leaves it', ''], ['cut off', '{"format":1,"bootId":"th'], ['of another shape', '{"targets":[1]}'],
    ['with a deadline that is no number', JSON.stringify({ format: 1, bootId: boot.id, deadlineAt: '1e9', targets: [], recoveryData: {} })],
    ['with a deadline that is too long', JSON.stringify({ format: 1, bootId: boot.id, deadlineAt: '9'.repeat(400), targets: [], recoveryData: {} })],
    ['with a mount point that is no path', JSON.stringify({ format: 1, bootId: boot.id, deadlineAt: '1', targets: [{ id: '8:1', mountPoint: '/a\0b' }], recoveryData: {} })],
    ['with a number where a text belongs', JSON.stringify({ format: 1, bootId: boot.id, deadlineAt: '1', targets: [], recoveryData: { pid: 17 } })]])(
    'that is %s says that something is frozen, not what',
    async (_, text) => {
      writeFileSync(path('qga.state.isfrozen'), text);

      expect(await open().readFreezeMarker()).toEqual({ bootId: boot.id, targets: [], deadlineAt: 0n, recoveryData: {} });
    },
  );

  it('without a boot of its own counts as stale when it is older than this boot, on a disk', async (context) => {
    if (!survivesReboot(directory)) context.skip('needs a temporary directory on a disk');
    writeFileSync(path('qga.state.isfrozen'), '');
    utimesSync(path('qga.state.isfrozen'), boot.at / 1000 - 60, boot.at / 1000 - 60);

    expect(await open().readFreezeMarker()).toBeUndefined();
    expect(warnings[0]).toContain('is older than this boot');
  });

  it('keeps the start from writing: the directory may lie on what is frozen', async () => {
    writeFileSync(path('qga.state.isfrozen'), '');
    writeFileSync(path('concierge-ga.lock'), '1\n');
    writeFileSync(path('qga.state'), 'damaged');

    open();

    expect(counterFile()).toBe('damaged');
    expect(readFileSync(path('concierge-ga.lock'), 'utf8')).toBe('1\n');
  });

  it('that cannot be written is an error that says where', async () => {
    const store = open();
    rmSync(directory, { recursive: true });

    await expect(store.writeFreezeMarker(marker)).rejects.toThrow(`unable to create ${path('qga.state.isfrozen')}: No such file or directory`);
  });
});
