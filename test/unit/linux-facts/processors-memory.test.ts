// SPDX-License-Identifier: Apache-2.0
import { readFileSync, writeFileSync } from 'node:fs';

import { describe, expect, it, vi } from 'vitest';

import { linuxMemory } from '../../../adapters/linux/facts/memory.ts';
import { linuxProcessors, type WriteAttribute } from '../../../adapters/linux/facts/processors.ts';
import { nativeAddon } from '../../../adapters/linux/native.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import type { Memory, Processors } from '../../../core/ports/index.ts';
import { layOut, type Machine } from '../../fixtures/machines/load.ts';

const write: WriteAttribute = async (path, text) => writeFileSync(path, text);
const refuse: WriteAttribute = async () => { throw posixError('EBUSY', { syscall: 'write' }); };

const onlineOf = (guest: Machine, writeAttribute = write): Required<NonNullable<Processors['online']>> =>
  linuxProcessors(guest.root, writeAttribute).online as Required<NonNullable<Processors['online']>>;
const blocksOf = (guest: Machine, writeAttribute = write): Required<NonNullable<Memory['blocks']>> =>
  linuxMemory(guest.root, writeAttribute).blocks as Required<NonNullable<Memory['blocks']>>;

/** Calls of the addon that ask the kernel for something, and the names that lists of directories brought. */
function countingCalls(): { readonly count: () => number } {
  const addon = nativeAddon() as unknown as Record<string, () => unknown>;
  const names = (value: unknown): number => (typeof value === 'string' ? value.split('/').length : 0);
  const spies = ['readText', 'readAttribute', 'exists', 'listDirectory', 'readLink', 'realPath'].map((name) => vi.spyOn(addon, name));
  return {
    count: () => {
      const sum = spies.flatMap((spy) => spy.mock.results).reduce((calls, { value }) => calls + 1 + names(value), 0);
      for (const spy of spies) spy.mockRestore();
      return sum;
    },
  };
}

const fourProcessors = [
  '/sys/devices/system/cpu/cpu0/topology/', '/sys/devices/system/cpu/cpu10/online = 1', '/sys/devices/system/cpu/cpu2/online = 0',
  '/sys/devices/system/cpu/cpu1/online = 1', '/sys/devices/system/cpu/cpufreq/', '/sys/devices/system/cpu/cpuidle/', '/sys/devices/system/cpu/online = 0-1,10',
].join('\n');

describe('processors', () => {
  it('are listed by number; one without a switch is up for good', async () => {
    using guest = layOut(fourProcessors);

    expect(await onlineOf(guest).list()).toEqual([
      { logicalId: 0, online: true, canOffline: false }, { logicalId: 1, online: true, canOffline: true },
      { logicalId: 2, online: false, canOffline: true }, { logicalId: 10, online: true, canOffline: true },
    ]);
  });

  it('are switched, and only when it changes something', async () => {
    using guest = layOut(fourProcessors);
    const writeAttribute = vi.fn(write);
    const { switching } = onlineOf(guest, writeAttribute);

    await switching.set(2n, true);
    await switching.set(1n, true);
    await switching.set(10n, false);

    expect(writeAttribute).toHaveBeenCalledTimes(2);
    expect(readFileSync(`${guest.root}/sys/devices/system/cpu/cpu2/online`, 'utf8')).toMatch(/^1/);
    expect(readFileSync(`${guest.root}/sys/devices/system/cpu/cpu10/online`, 'utf8')).toMatch(/^0/);
  });

  it('without a switch can be wanted up but not down', async () => {
    using guest = layOut(fourProcessors);
    const { switching } = onlineOf(guest);

    await expect(switching.set(0n, true)).resolves.toBeUndefined();
    await expect(switching.set(0n, false)).rejects.toThrow("logical processor #0 can't be offlined");
  });

  it('that do not exist are refused in the words of the reference', async () => {
    using guest = layOut(fourProcessors);

    await expect(onlineOf(guest).switching.set(4711n, true))
      .rejects.toThrow("Could not open '/sys/devices/system/cpu/cpu4711/': No such file or directory");
  });

  it('that the kernel will not switch say why', async () => {
    using guest = layOut(fourProcessors);

    await expect(onlineOf(guest, refuse).switching.set(1n, false)).rejects.toMatchObject({
      message: 'pwrite("/sys/devices/system/cpu/cpu1//online"): Device or resource busy', os: { code: 'EBUSY' },
    });
  });

  it('with an empty switch are an error and not a guess', async () => {
    using guest = layOut(fourProcessors);
    writeFileSync(`${guest.root}/sys/devices/system/cpu/cpu1/online`, '');

    await expect(async () => onlineOf(guest).list()).rejects.toThrow('pread("/sys/devices/system/cpu/cpu1//online"): unexpected EOF');
  });

  it('that are unplugged between being listed and being looked at are left out', async () => {
    using guest = layOut(`${fourProcessors}\n/sys/devices/system/cpu/cpu3 -> gone`);

    expect((await onlineOf(guest).list()).map((processor) => processor.logicalId)).toEqual([0, 1, 2, 10]);
  });

  it('without the directory are an error that names it', async () => {
    using guest = layOut('/sys/');

    await expect(async () => onlineOf(guest).list()).rejects.toThrow('failed to list entries: /sys/devices/system/cpu: No such file or directory');
  });

  it('have statistics and load below the root', async () => {
    using guest = layOut('/proc/stat = cpu  1 1 1 1\\ncpu0 1 2 3 4\n/proc/loadavg = 0.10 0.20 0.30 1/2 3');
    const { statistics, load } = linuxProcessors(guest.root, write);

    expect((await statistics?.list())?.map((entry) => entry.cpu)).toEqual([0]);
    expect(await load?.average()).toEqual([0.1, 0.2, 0.3]);
  });

  it('without /proc have neither, and say so', async () => {
    using guest = layOut('/proc/');
    const { statistics, load } = linuxProcessors(guest.root, write);

    await expect(async () => statistics?.list()).rejects.toThrow("Could not open '/proc/stat': No such file or directory");
    await expect(async () => load?.average()).rejects.toThrow('cannot query load average: No such file or directory');
  });
});

const memory = [
  '/sys/devices/system/memory/block_size_bytes = 8000000', '/sys/devices/system/memory/memory10/state = online',
  '/sys/devices/system/memory/memory10/removable = 1', '/sys/devices/system/memory/memory2/state = offline',
  '/sys/devices/system/memory/memory2/removable = 0', '/sys/devices/system/memory/memory3/', '/sys/devices/system/memory/power/',
  '/sys/devices/system/memory/memory4/state = going-offline',
].join('\n');

describe('memory blocks', () => {
  it('are listed by index', async () => {
    using guest = layOut(memory);

    expect(await blocksOf(guest).list()).toEqual([
      { physIndex: 2n, online: false, canOffline: false }, { physIndex: 3n, online: true, canOffline: false },
      { physIndex: 4n, online: false, canOffline: false }, { physIndex: 10n, online: true, canOffline: true },
    ]);
  });

  it('number thousands and are still all there', async () => {
    using guest = layOut(Array.from({ length: 600 }, (_, i) => `/sys/devices/system/memory/memory${i}/state = online`).join('\n'));

    expect((await blocksOf(guest).list()).map((block) => block.physIndex)).toEqual(Array.from({ length: 600 }, (_, i) => BigInt(i)));
  });

  it('are none where the system has no such notion, but an empty directory is an error', async () => {
    using bare = layOut('/sys/');
    using empty = layOut('/sys/devices/system/memory/power/');

    expect(await blocksOf(bare).list()).toEqual([]);
    await expect(blocksOf(empty).list()).rejects.toThrow('guest reported zero memory blocks!');
  });

  it('have a size, written in hexadecimal', async () => {
    using guest = layOut(memory);
    using bare = layOut('/sys/');

    expect(await blocksOf(guest).blockSize()).toBe(134_217_728n);
    await expect(async () => blocksOf(bare).blockSize()).rejects.toThrow('open("/sys/devices/system/memory/"): No such file or directory');
  });

  it('are switched by words, and only when it changes something', async () => {
    using guest = layOut(memory);
    const writeAttribute = vi.fn(write);
    const { switching } = blocksOf(guest, writeAttribute);

    expect([await switching.set(2n, true), await switching.set(10n, true), await switching.set(10n, false)])
      .toEqual([{ response: 'success' }, { response: 'success' }, { response: 'success' }]);
    expect(writeAttribute.mock.calls.map(([path, text]) => [path.slice(guest.root.length), text])).toEqual([
      ['/sys/devices/system/memory/memory2/state', 'online'], ['/sys/devices/system/memory/memory10/state', 'offline'],
    ]);
  });

  it('come up in the movable zone on request', async () => {
    using guest = layOut(memory);
    const writeAttribute = vi.fn(write);
    const { switching } = blocksOf(guest, writeAttribute);

    expect([await switching.set(2n, true, 'movable'), await switching.set(10n, true, 'movable')]).toEqual([{ response: 'success' }, { response: 'success' }]);

    expect(writeAttribute.mock.calls.map(([path, text]) => [path.slice(guest.root.length), text])).toEqual([['/sys/devices/system/memory/memory2/state', 'online_movable']]);
  });

  it.each([[2n, true, 'online_movable'], [10n, false, 'offline']] as const)('a block that somebody else switches at the same moment is switched: %s', async (block, online, state) => {
    using guest = layOut(memory);
    const second: WriteAttribute = async (path) => {
      await write(path, `${state}\n`);
      throw posixError('EINVAL', { syscall: 'write' });
    };

    expect(await blocksOf(guest, second).switching.set(block, online)).toEqual({ response: 'success' });
  });

  it('that cannot be switched answer why, with errno', async () => {
    using guest = layOut(memory);
    const { switching } = blocksOf(guest, refuse);

    expect(await switching.set(99_999n, true)).toEqual({ response: 'not-found', errorCode: 2 });
    expect(await switching.set(3n, false)).toEqual({ response: 'operation-not-supported', errorCode: 2 });
    expect(await switching.set(3n, true)).toEqual({ response: 'success' });
    expect(await switching.set(10n, false)).toEqual({ response: 'operation-failed', errorCode: 16 });
  });

  it('on a system without them are not supported, and with a broken directory fail', async () => {
    using bare = layOut('/sys/');
    using broken = layOut('/sys/devices/system/memory = a file');

    expect(await blocksOf(bare).switching.set(1n, true)).toEqual({ response: 'operation-not-supported', errorCode: 2 });
    expect(await blocksOf(broken).switching.set(1n, true)).toEqual({ response: 'operation-failed', errorCode: 20 });
  });

  it('with an empty state fail rather than guess', async () => {
    using guest = layOut(memory);
    writeFileSync(`${guest.root}/sys/devices/system/memory/memory10/state`, '');

    expect(await blocksOf(guest).switching.set(10n, false)).toEqual({ response: 'operation-failed', errorCode: 5 });
    await expect(blocksOf(guest).list()).rejects.toThrow('pread sysfs file "state": unexpected EOF');
  });

  it('cost the same number of system calls each, however many there are and whatever is asked of them', async () => {
    const callsFor = async (count: number): Promise<number> => {
      using guest = layOut(Array.from({ length: count }, (_, i) => `/sys/devices/system/memory/memory${i}/state = online`).join('\n'));
      const { switching } = blocksOf(guest);
      const calls = countingCalls();
      for (let block = 0n; block < count; block += 1n) await switching.set(block, true);
      for (let block = 0n; block < count; block += 1n) await switching.set(block + 1_000_000n, true);
      return calls.count();
    };

    const [few, many] = [await callsFor(20), await callsFor(300)];

    expect(many / few).toBe(15);
    expect(few).toBeLessThanOrEqual(20 * 5);
  });

  it('and processors let others have their turn of the event loop when many are switched that need no waiting', async () => {
    using guest = layOut(`${memory}\n${fourProcessors}`);
    const switchMany = { blocks: blocksOf(guest).switching, processors: onlineOf(guest).switching };

    for (const [name, switching] of Object.entries(switchMany)) {
      let turns = 0;
      let going = true;
      const other = (): void => {
        turns += 1;
        if (going) setImmediate(other);
      };
      setImmediate(other);
      for (let call = 0; call < 2048; call += 1) await switching.set(10n, true);
      going = false;

      expect(turns, name).toBeGreaterThanOrEqual(2048 / 256);
    }
  });

  it('that are unplugged between being listed and being looked at are left out', async () => {
    using guest = layOut(`${memory}\n/sys/devices/system/memory/memory7 -> gone`);

    expect((await blocksOf(guest).list()).map((block) => block.physIndex)).toEqual([2n, 3n, 4n, 10n]);
  });
});
