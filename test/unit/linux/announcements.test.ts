// SPDX-License-Identifier: Apache-2.0
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { linuxGeneration } from '../../../adapters/linux/announcements/generation.ts';
import { linuxHotplug } from '../../../adapters/linux/announcements/hotplug.ts';
import { kernelLog } from '../../../adapters/linux/announcements/kernel-log.ts';
import { Uevents, ueventFrom, type UeventAddon } from '../../../adapters/linux/announcements/uevents.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import { watchVmclock, type VmclockAddon } from '../../../adapters/linux/announcements/vmclock.ts';
import type { GenerationNews, KeptDescriptors } from '../../../core/ports/index.ts';
import { script, scratchDirectory } from './support/scratch.ts';

const message = (...words: readonly string[]): Uint8Array => Buffer.from(words.map((word) => `${word}\0`).join(''));
const vmgenid = message('change@/devices/platform/QEMUVGID:00', 'ACTION=change', 'DEVPATH=/devices/platform/QEMUVGID:00', 'SUBSYSTEM=platform', 'NEW_VMGENID=1', 'SEQNUM=42');
const disk = message('change@/devices/pci0000:00/virtio1/block/vda', 'ACTION=change', 'SUBSYSTEM=block', 'DISK_MEDIA_CHANGE=1', 'SEQNUM=43');

/** A kernel that says what a test has it say. */
function kernel(kept?: KeptDescriptors) {
  const open = new Map<number, (bytes: Uint8Array) => void>();
  let next = 100;
  const addon: UeventAddon = {
    openUevents: () => (next += 1),
    UeventReader: class {
      readonly #fd: number;
      constructor(fd: number, onMessage: (bytes: Uint8Array) => void) {
        this.#fd = fd;
        open.set(fd, onMessage);
      }

      close(): void {
        open.delete(this.#fd);
      }
    },
  };
  return { uevents: new Uevents(kept, addon), open, says: (bytes: Uint8Array) => [...open.values()].forEach((hear) => hear(bytes)) };
}

/** A keeper's side of an agent, and what it was told to keep. */
const keeping = (held: Map<string, number>, said: string[]): KeptDescriptors => ({
  take: (name: string) => held.get(name),
  keep: (name: string, kind: string, note: string, fd: number) => {
    said.push(`${name} ${kind} ${note}`);
    held.set(name, fd);
  },
}) as unknown as KeptDescriptors;

describe('what the kernel tells of its devices', () => {
  it('is read as names and values, whatever else is in it', () => {
    expect([...ueventFrom(message('add@/devices/x', 'ACTION=add', 'EMPTY=', 'A=b=c', 'no value', '=nameless'))])
      .toEqual([['ACTION', 'add'], ['EMPTY', ''], ['A', 'b=c']]);
    expect([...ueventFrom(Buffer.alloc(0))]).toEqual([]);
  });

  it('is heard over one socket, which is open while somebody listens', () => {
    const { uevents, open, says } = kernel();
    const heard: string[] = [];
    expect(open.size).toBe(0);

    const stops = ['one', 'other'].map((name) => uevents.listen((event) => heard.push(`${name} ${event.get('SEQNUM')}`)));
    expect(open.size).toBe(1);
    says(vmgenid);
    stops[0]?.();
    stops[0]?.();
    says(disk);
    stops[1]?.();

    expect([heard, open.size]).toEqual([['one 42', 'other 42', 'other 43'], 0]);
  });

  it('waits for the next agent where a keeper holds the socket', () => {
    const held = new Map<string, number>([]);
    const said: string[] = [];
    const kept = keeping(held, said);

    kernel(kept).uevents.listen(() => undefined);
    const next = kernel(kept);
    next.uevents.listen(() => undefined);

    expect(said).toEqual(['uevents stream kernel']);
    expect([...next.open.keys()]).toEqual([101]);
  });
});

describe('another generation', () => {
  it('is what the vmgenid driver tells of, and nothing else', async () => {
    const { uevents, says } = kernel();
    let heard = 0;
    const watch = await linuxGeneration({ directory: '', timeLimitMs: 0, uevents, log: () => undefined, vmclock: () => undefined }).watch(() => {
      heard += 1;
    });

    for (const bytes of [disk, vmgenid, message('change@/x', 'SYNTH_ARG_NEW_VMGENID=1'), message('change@/x', 'NEW_VMGENID=0')]) says(bytes);
    watch.stop();
    watch.stop();
    says(vmgenid);

    expect(heard).toBe(1);
  });

  it.each([
    ['the log alone says it', ['log', 'log'], 2],
    ['the uevent alone says it', ['uevent', 'uevent'], 2],
    ['both say it, in whatever order', ['log', 'uevent', 'uevent', 'log', 'log', 'uevent'], 3],
    ['one of them was lost', ['log', 'uevent', 'log', 'log', 'uevent'], 3],
  ] as const)('is counted once where %s', async (_, order, count) => {
    const { uevents, says } = kernel();
    let heard = 0;
    let log: () => void = () => undefined;
    const watch = await linuxGeneration({ directory: '', timeLimitMs: 0, uevents, vmclock: () => undefined, log: (listener) => {
      log = listener;
      return () => undefined;
    } }).watch(() => {
      heard += 1;
    });

    for (const one of order) {
      if (one === 'log') log();
      else says(vmgenid);
    }
    watch.stop();

    expect(heard).toBe(count);
  });

  it('is not heard of in a log that may not be read', () => {
    const closed: number[] = [];
    const addon = (openKernelLog: () => number) => ({
      openKernelLog,
      KernelLogReader: class {
        readonly #fd: number;
        constructor(fd: number) {
          this.#fd = fd;
        }

        close(): void {
          closed.push(this.#fd);
        }
      },
    });

    expect(kernelLog(undefined, addon(() => { throw posixError('EPERM'); }))(() => undefined)).toBeUndefined();
    kernelLog(undefined, addon(() => 7))(() => undefined)?.();

    expect(closed).toEqual([7]);
  });

  it('is heard by the next agent in the log where a keeper holds the place, and waits for no line of it', () => {
    const held = new Map<string, number>();
    const said: string[] = [];
    const kept = keeping(held, said);
    const read: number[] = [];
    const addon = { openKernelLog: () => 8, KernelLogReader: class {
      constructor(fd: number) {
        read.push(fd);
      }

      close(): void {}
    } };

    kernelLog(kept, addon)(() => undefined);
    const next = kernelLog(kept, { ...addon, openKernelLog: () => 9 });
    next(() => undefined);
    next(() => undefined);

    expect([said, read]).toEqual([['kernel-log plain kernel', 'kernel-log plain kernel'], [8, 8, 9]]);
  });

  it('is what a VMClock counts, once with what the kernel says of it, and its disturbances are told of by themselves', async () => {
    const { uevents, says } = kernel();
    const heard: string[] = [];
    const marks: GenerationNews[] = [];
    const ended: string[] = [];
    const watch = await linuxGeneration({ directory: '', timeLimitMs: 0, uevents, log: () => undefined, vmclock: (listener) => ({
      look: () => marks.splice(0).forEach((news) => listener(news)),
      heard: () => '3 256 1',
      stop: () => ended.push('vmclock'),
    }) }).watch((news) => heard.push(news));

    marks.push('disruption', 'generation');
    watch.look?.();
    says(vmgenid);
    watch.look?.();
    expect(watch.heard?.()).toBe('3 256 1');
    watch.stop();
    watch.stop();
    marks.push('generation');
    watch.look?.();

    expect([heard, ended]).toEqual([['disruption', 'generation'], ['vmclock']]);
  });

  it('has hooks in a directory, which are told of it in their environment', async () => {
    const directory = join(scratchDirectory(), 'generation.d');
    mkdirSync(directory, { mode: 0o755 });
    script(join(directory, '10-tells'), 'echo "$1 $CONCIERGE_OLD_GENERATION $CONCIERGE_NEW_GENERATION $CONCIERGE_CLOCK_OFF_BY_NS."');
    script(join(directory, '20-fails'), 'echo no lease; exit 3');
    script(join(directory, '30-hangs'), 'sleep 300');
    script(join(directory, '40-loose'), 'echo loose');
    script(join(directory, '50-off'), 'echo off');
    chmodSync(join(directory, '40-loose'), 0o777);
    chmodSync(join(directory, '50-off'), 0o644);
    const hooks = await linuxGeneration({ directory, timeLimitMs: 1000, uevents: kernel().uevents }).hooks();

    expect(hooks.map(({ name, refused }) => [name.slice(directory.length + 1), refused !== undefined])).toEqual([['10-tells', false], ['20-fails', false], ['30-hangs', false], ['40-loose', true]]);
    const [tells, fails, hangs] = hooks;
    expect((await tells?.run({ from: 0, to: 1, clockOffBy: -7n }))?.output).toBe('generation 0 1 -7.\n');
    expect((await tells?.run({ from: 1, to: 2 }))?.output).toBe('generation 1 2 .\n');
    expect(await fails?.run({ from: 0, to: 1 })).toMatchObject({ ok: false, error: `child process has failed to execute generation hook ${directory}/20-fails: no lease\n` });
    expect(await hangs?.run({ from: 0, to: 1 })).toMatchObject({ ok: false, error: `child process has failed to execute generation hook ${directory}/30-hangs: killed after its time limit of 1 s` });
  });

  it('has none where no directory is named, or it is not there', async () => {
    const { uevents } = kernel();

    expect(await linuxGeneration({ directory: '', timeLimitMs: 0, uevents }).hooks()).toEqual([]);
    expect(await linuxGeneration({ directory: join(scratchDirectory(), 'none'), timeLimitMs: 0, uevents }).hooks()).toEqual([]);
  });
});

describe('the page of a VMClock', () => {
  /** One in memory; its descriptor is that of nothing. */
  function pageOf({ notifies = false, isNone = false, isAbsent = false, since = '' } = {}) {
    const state = { since: [] as unknown[], marks: [] as number[], isMapped: false, isRead: false, hear: (): void => undefined };
    const addon: VmclockAddon = {
      openVmclock: () => {
        if (isAbsent) throw posixError('ENOENT');
        return openSync('/dev/null', 'r');
      },
      VmclockPage: class {
        constructor(_fd: number, from?: readonly bigint[]) {
          if (isNone) throw posixError('EINVAL');
          state.since.push(from);
          state.isMapped = true;
        }

        look = (): number => state.marks.shift() ?? 0;
        marks = () => [3n, 256n, 1n] as const;
        notifies = (): boolean => notifies;
        close = (): void => {
          state.isMapped = false;
        };
      },
      VmclockReader: class {
        readonly #fd: number;
        constructor(fd: number, onNews: () => void) {
          this.#fd = fd;
          state.isRead = true;
          state.hear = onNews;
        }

        close(): void {
          closeSync(this.#fd);
          state.isRead = false;
        }
      },
    };
    const heard: string[] = [];
    return { state, heard, watch: watchVmclock((news) => heard.push(news), since, addon) };
  }

  it('tells who looks what has changed', () => {
    const { state, heard, watch } = pageOf();

    state.marks.push(0, 1, 2, 7);
    for (let look = 0; look < 5; look += 1) watch?.look();
    expect([heard, state.isMapped, state.isRead]).toEqual([['disruption', 'generation'], true, false]);

    watch?.stop();
    expect(state.isMapped).toBe(false);
  });

  it('is heard where it says so by itself', () => {
    const { state, heard, watch } = pageOf({ notifies: true });

    state.marks.push(2);
    state.hear();
    expect([heard, state.isRead]).toEqual([['generation'], true]);

    watch?.stop();
    expect([state.isMapped, state.isRead]).toEqual([false, false]);
  });

  it.each([['3 256 1', [3n, 256n, 1n]], ['', undefined], ['of another version', undefined]])('is watched from where another watch has heard %j', (since, marks) => {
    const { state, watch } = pageOf({ since });

    expect([state.since, watch?.heard()]).toEqual([[marks], '3 256 1']);
    watch?.stop();
  });

  it.each([['there is none', { isAbsent: true }], ['it is no such page', { isNone: true }]])('is not watched where %s', (_, options) => {
    expect(pageOf(options).watch).toBeUndefined();
  });
});

describe('added hardware', () => {
  it('is each processor and memory block that the kernel adds, by its number, and nothing else', async () => {
    const { uevents, says } = kernel();
    const heard: unknown[] = [];
    const watch = await linuxHotplug(uevents).watch((added) => heard.push(added));

    for (const path of ['system/cpu/cpu3', 'system/memory/memory40', 'system/cpu/cpufreq', 'system/memory/memoryX', 'system/cpu/cpu3/cache', 'pci0000:00/system/cpu/cpu3']) {
      says(message(`add@/devices/${path}`, 'ACTION=add', `DEVPATH=/devices/${path}`));
    }
    for (const action of ['online', 'remove']) says(message(`${action}@/devices/system/cpu/cpu3`, `ACTION=${action}`, 'DEVPATH=/devices/system/cpu/cpu3'));
    says(message('add@/nowhere', 'ACTION=add'));
    watch.stop();
    says(message('add@/devices/system/cpu/cpu4', 'ACTION=add', 'DEVPATH=/devices/system/cpu/cpu4'));

    expect(heard).toEqual([{ kind: 'processor', logicalId: 3n }, { kind: 'memory', physIndex: 40n }]);
  });
});
