// SPDX-License-Identifier: Apache-2.0
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { VmclockAddon } from '../../../adapters/linux/announcements/vmclock.ts';
import { nativeAddon, type NativeAddon } from '../../../adapters/linux/native.ts';

const addon = nativeAddon() as NativeAddon & VmclockAddon;
const counts = 0x100n;
const notifies = 0x200n;
let directory = '';
let path = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-vmclock-'));
  path = join(directory, 'page');
});

afterEach(() => rmSync(directory, { recursive: true }));

interface Fields {
  readonly magic?: number;
  readonly size?: number;
  readonly sequence?: number;
  readonly marker?: bigint;
  readonly flags?: bigint;
  readonly generation?: bigint;
}

/** A page of linux/vmclock-abi.h, as a hypervisor would write it. */
function page({ magic = 0x4b4c4356, size = 4096, sequence = 2, marker = 1n, flags = 0n, generation = 0n }: Fields): Buffer {
  const bytes = Buffer.alloc(4096);
  bytes.writeUInt32LE(magic, 0);
  bytes.writeUInt32LE(size, 4);
  bytes.writeUInt32LE(sequence, 12);
  bytes.writeBigUInt64LE(marker, 16);
  bytes.writeBigUInt64LE(flags, 24);
  bytes.writeBigUInt64LE(generation, 104);
  return bytes;
}

/** In place: it stays the page that is mapped. */
function hypervisorWrites(fields: Fields): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, page(fields), 0, 4096, 0);
  closeSync(fd);
}

function mapped(fields: Fields) {
  writeFileSync(path, page(fields));
  return mappedAsItIs();
}

function mappedAsItIs(...since: ConstructorParameters<VmclockAddon['VmclockPage']> extends [unknown, ...infer Rest] ? Rest : never) {
  const fd = addon.openVmclock(path);
  try {
    return new addon.VmclockPage(fd, ...since);
  } finally {
    closeSync(fd);
  }
}

describe('the page of a VMClock', () => {
  it('tells of what has changed since the last look, once', () => {
    const clock = mapped({ flags: counts });
    expect(clock.look()).toBe(0);

    hypervisorWrites({ sequence: 4, marker: 2n, flags: counts });
    expect([clock.look(), clock.look()]).toEqual([1, 0]);
    hypervisorWrites({ sequence: 6, marker: 3n, flags: counts, generation: 1n });
    expect([clock.look(), clock.look()]).toEqual([2, 0]);
    clock.close();
    expect(clock.look()).toBe(0);
  });

  it('tells another watch what has changed since the one before it looked', () => {
    const first = mapped({ marker: 7n, flags: counts, generation: 2n ** 64n - 1n });
    const since = first.marks();
    first.close();
    expect(since).toEqual([7n, counts, 2n ** 64n - 1n]);

    const same = mappedAsItIs(since);
    expect(same.look()).toBe(0);
    same.close();
    hypervisorWrites({ sequence: 4, marker: 8n, flags: counts, generation: 0n });
    const next = mappedAsItIs(since);
    expect([next.look(), next.look()]).toEqual([2, 0]);
    expect(next.marks()).toEqual([8n, counts, 0n]);
    next.close();
  });

  it('counts no generations where the hypervisor does not', () => {
    const clock = mapped({});

    hypervisorWrites({ sequence: 4, marker: 1n, generation: 5n });
    expect(clock.look()).toBe(0);
    // One that has begun to count has not begun another generation by that.
    hypervisorWrites({ sequence: 6, marker: 1n, flags: counts, generation: 6n });
    expect(clock.look()).toBe(0);
    hypervisorWrites({ sequence: 8, marker: 1n, flags: counts, generation: 7n });
    expect(clock.look()).toBe(2);
    clock.close();
  });

  it('is not looked at while it is being written', () => {
    const clock = mapped({});

    hypervisorWrites({ sequence: 3, marker: 2n });
    expect(clock.look()).toBe(0);
    hypervisorWrites({ sequence: 4, marker: 2n });
    expect(clock.look()).toBe(1);
    clock.close();
  });

  it.each([[true, notifies], [false, counts]])('says whether it can be waited for: %s', (expected, flags) => {
    const clock = mapped({ flags });

    expect(clock.notifies()).toBe(expected);
    clock.close();
  });

  it.each([
    ['has another mark', { magic: 0x12345678 }],
    ['is too small', { size: 64 }],
    ['is written for ever', { sequence: 1 }],
  ])('is refused where it %s', (_, fields) => {
    expect(() => mapped(fields)).toThrow('Invalid argument');
  });

  it('is none where there is no such device, and holds no descriptor', () => {
    expect(() => addon.openVmclock(join(directory, 'none'))).toThrow('No such file or directory');
    const before = readdirSync('/proc/self/fd').length;
    const clock = mapped({});

    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
    clock.close();
  });
});
