// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { posixError, type PosixCode } from '../../../core/errors/posix-errno.ts';
import { scratchDirectory, tree } from './support/scratch.ts';
import { type ClockSystem, linuxClock } from '../../../adapters/linux/facts/clock.ts';
import { type ClockFields, hardwareReference } from '../../../adapters/linux/facts/hardware-reference.ts';

interface Machine extends ClockSystem {
  /** Paths of PTP clocks that are open. */
  readonly held: readonly string[];
  readonly wall: bigint;
  readonly hardware: { path: string; fields: ClockFields } | undefined;
}

/** Clocks in memory: no test sets those of the machine that it runs on. */
function machine({ clocks = ['/dev/rtc0'], adjtime, refuseWall, refuseHardware, fields = [2030, 0, 2, 3, 4, 5] }: {
  clocks?: readonly string[];
  adjtime?: string;
  refuseWall?: PosixCode;
  refuseHardware?: PosixCode;
  fields?: ClockFields;
} = {}): Machine {
  let wall = 0n;
  let hardware: Machine['hardware'];
  const held: string[] = [];
  const use = (path: string): void => {
    if (!clocks.includes(path)) throw posixError('ENOENT', { syscall: 'open', path });
    if (refuseHardware !== undefined) throw posixError(refuseHardware, { syscall: 'ioctl', path });
  };
  return {
    get wall() {
      return wall;
    },
    get hardware() {
      return hardware;
    },
    held,
    wallClock: () => wall,
    bootClock: () => 42n,
    stepWallClock(by) {
      if (refuseWall !== undefined) throw posixError(refuseWall, { syscall: 'clock_settime' });
      wall += by;
    },
    async readPtpClock(path) {
      use(path);
      return [time, 40n, 7n];
    },
    PtpClock: class {
      readonly #path: string;
      #isOpen = true;

      constructor(path: string) {
        use(path);
        this.#path = path;
        held.push(path);
      }

      read() {
        if (!this.#isOpen) throw posixError('EBADF');
        use(this.#path);
        return [time, 41n, 3n] as const;
      }

      close(): void {
        this.#isOpen = false;
        held.splice(held.indexOf(this.#path), 1);
      }
    },
    async glanceAtHardwareClock(path) {
      use(path);
      return fields;
    },
    setWallClock(time) {
      if (refuseWall !== undefined) throw posixError(refuseWall, { syscall: 'clock_settime' });
      wall = time;
    },
    async readFile(given) {
      const path = Buffer.from(given).toString();
      if (path !== '/etc/adjtime' || adjtime === undefined) throw posixError('ENOENT', { syscall: 'open', path });
      return Buffer.from(adjtime);
    },
    async readHardwareClock(path) {
      use(path);
      return fields;
    },
    async writeHardwareClock(path, given) {
      use(path);
      hardware = { path, fields: given };
    },
  };
}

const time = BigInt(Date.UTC(2024, 6, 15, 10, 20, 30)) * 1_000_000n + 123_456_789n;

describe('setting the time', () => {
  it('sets the wall clock to the nanosecond, and the hardware clock in UTC', async () => {
    const system = machine();

    await linuxClock({ system }).setting?.set(time);

    expect(system.wall).toBe(time);
    expect(system.hardware).toEqual({ path: '/dev/rtc0', fields: [2024, 6, 15, 10, 20, 30] });
  });

  it('sets a hardware clock that runs in local time in local time', async () => {
    const system = machine({ adjtime: '0.0 0 0.0\n0\nLOCAL\n' });

    await linuxClock({ system }).setting?.set(time);

    const date = new Date(Number(time / 1_000_000n));
    expect(system.hardware?.fields).toEqual([date.getFullYear(), date.getMonth(), date.getDate(), date.getHours(), date.getMinutes(), 30]);
  });

  it('takes the next name of a hardware clock where the first is missing', async () => {
    const system = machine({ clocks: ['/dev/rtc'] });

    await linuxClock({ system }).setting?.set(time);

    expect(system.hardware?.path).toBe('/dev/rtc');
  });

  it('is done where the machine has no hardware clock', async () => {
    const system = machine({ clocks: [] });

    await linuxClock({ system }).setting?.set(time);

    expect(system.wall).toBe(time);
  });

  it('tells apart what the wall clock and what the hardware clock refused', async () => {
    const wall = machine({ refuseWall: 'EPERM' });
    const hardware = machine({ refuseHardware: 'EACCES' });

    await expect(linuxClock({ system: wall }).setting?.set(time)).rejects.toMatchObject({ kind: 'os', os: { code: 'EPERM' } });
    expect(wall.hardware).toBeUndefined();
    await expect(linuxClock({ system: hardware }).setting?.set(time)).rejects.toMatchObject({
      kind: 'failed',
      message: 'failed to set hardware clock to system time: Permission denied',
    });
    expect(hardware.wall).toBe(time);
  });
});

describe('taking the time from the hardware clock', () => {
  it('reads it as UTC', async () => {
    const system = machine();

    await linuxClock({ system }).setting?.setFromHardware();

    expect(system.wall).toBe(BigInt(Date.UTC(2030, 0, 2, 3, 4, 5)) * 1_000_000n);
  });

  it('reads it as local time where adjtime says so', async () => {
    const system = machine({ adjtime: '0.0 0 0.0\n0\nLOCAL' });

    await linuxClock({ system }).setting?.setFromHardware();

    expect(system.wall).toBe(BigInt(new Date(2030, 0, 2, 3, 4, 5).getTime()) * 1_000_000n);
  });

  it('fails with a reason where there is none', async () => {
    const setting = linuxClock({ system: machine({ clocks: [] }) }).setting?.setFromHardware();

    await expect(setting).rejects.toMatchObject({
      kind: 'failed',
      message: 'failed to set system time from hardware clock: this machine has none (looked for /dev/rtc0, /dev/rtc, /dev/misc/rtc)',
    });
  });

  it('fails with a reason where it may not be read or the wall clock not be set', async () => {
    const root = scratchDirectory();
    const busy = linuxClock({ root, system: machine({ clocks: [join(root, 'dev/rtc0')], refuseHardware: 'EBUSY' }) }).setting?.setFromHardware();
    const forbidden = linuxClock({ system: machine({ refuseWall: 'EPERM' }) }).setting?.setFromHardware();

    await expect(busy).rejects.toMatchObject({ message: 'failed to set system time from hardware clock: Device or resource busy' });
    await expect(forbidden).rejects.toMatchObject({ message: 'failed to set system time from hardware clock: Operation not permitted' });
  });
});

describe('a hardware clock that somebody else holds open', () => {
  it('is taken from sysfs, at the edge of a second', async () => {
    const root = scratchDirectory();
    tree(root, { 'dev/rtc0': '', 'sys/class/rtc/rtc0/name': 'rtc_cmos 00:05\n', 'sys/class/rtc/rtc0/since_epoch': '1893553445\n' });
    const system = machine({ clocks: [join(root, 'dev/rtc0')], refuseHardware: 'EBUSY' });
    const state = { isSet: false };

    const setting = linuxClock({ root, system }).setting?.setFromHardware().then(() => {
      state.isSet = true;
    });
    for (let second = 1_893_553_446; !state.isSet; second += 1) {
      writeFileSync(join(root, 'sys/class/rtc/rtc0/since_epoch'), `${second}\n`);
      // oxlint-disable-next-line no-await-in-loop -- its seconds go on while it is read
      await new Promise((resolve) => void setTimeout(resolve, 1));
    }

    await setting;
    expect(system.wall).toBeGreaterThan(1_893_553_445_000_000_000n);
  });
});

describe('the clocks of this machine', () => {
  it('agree with those of Node', () => {
    const clock = linuxClock();

    const earliest = BigInt(Date.now()) * 1_000_000n;
    const now = clock.now();
    const latest = BigInt(Date.now() + 1) * 1_000_000n;

    expect(now).toBeGreaterThanOrEqual(earliest);
    expect(now).toBeLessThanOrEqual(latest);
    expect(clock.monotonic()).toBeGreaterThanOrEqual(process.hrtime.bigint() - 1_000_000_000n);
  });
});

describe('waiting', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('calls back once, also after more time than a timer of Node can hold', () => {
    const called = vi.fn();
    const month = 31 * 24 * 3600 * 1000;

    linuxClock({ system: machine() }).after(month, called);

    vi.advanceTimersByTime(month - 1);
    expect(called).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(called).toHaveBeenCalledOnce();
  });

  it('ends when it is cancelled, however far it has come', () => {
    const called = vi.fn();
    const month = 31 * 24 * 3600 * 1000;

    const timer = linuxClock({ system: machine() }).after(month, called);
    vi.advanceTimersByTime(month - 1);
    timer.cancel();
    vi.advanceTimersByTime(2);

    expect(called).not.toHaveBeenCalled();
  });
});

describe('the clocks that go on while the guest stands still', () => {
  /** A machine with PTP clocks of these drivers, and hardware clocks. */
  function clocks(ptp: Readonly<Record<string, string>> = {}, hardware: readonly string[] = []): string {
    const root = scratchDirectory();
    for (const [name, called] of Object.entries(ptp)) {
      mkdirSync(join(root, 'sys/class/ptp', name), { recursive: true });
      writeFileSync(join(root, 'sys/class/ptp', name, 'clock_name'), `${called}\n`);
    }
    mkdirSync(join(root, 'dev'), { recursive: true });
    for (const path of hardware) writeFileSync(join(root, path), '');
    return root;
  }

  const listed = async (root: string, system = machine()) => (await linuxClock({ root, system }).references?.list()) ?? [];

  it('are those of hypervisors, a vmclock first, and the hardware clock last; a network adapter has none', async () => {
    const root = clocks({ ptp0: 'KVM virtual PTP', ptp1: 'vmclock0', ptp2: 'e1000e-PTP', ptp3: 'hyperv' }, ['dev/rtc']);

    const names = (await listed(root)).map(({ name }) => name.slice(root.length));

    expect(names).toEqual(['/dev/ptp1 (vmclock0)', '/dev/ptp0 (KVM virtual PTP)', '/dev/ptp3 (hyperv)', '/dev/rtc']);
  });

  it('are none on a machine without any', async () => {
    expect(await listed(clocks())).toEqual([]);
  });

  it('are read with the monotonic time of the moment', async () => {
    const root = clocks({ ptp0: 'KVM virtual PTP' }, ['dev/rtc0']);
    const [ptp, rtc] = await listed(root, machine({ clocks: [join(root, 'dev/ptp0'), join(root, 'dev/rtc0')] }));

    expect(await ptp?.read('at once')).toEqual({ time, monotonic: 40n, within: 7n });
    const read = BigInt(Date.UTC(2030, 0, 2, 3, 4, 5)) * 1_000_000n;
    expect(await rtc?.read('at once')).toEqual({ time: read, monotonic: 42n, within: 1_000_000_000n });
    expect(await rtc?.read('exactly')).toEqual({ time: read, monotonic: 42n, within: 2_000_000n });
  });

  it('are held open for readings that wait for nothing, one at a time, until one fails', async () => {
    const root = clocks({ ptp0: 'KVM virtual PTP', ptp1: 'hyperv' });
    const there = [join(root, 'dev/ptp0'), join(root, 'dev/ptp1')];
    const system = machine({ clocks: there });
    const clock = linuxClock({ root, system });
    const [one, other] = (await clock.references?.list()) ?? [];
    const [sameOne] = (await clock.references?.list()) ?? [];

    const reading = { time, monotonic: 41n, within: 3n };
    expect([one?.glance?.(), sameOne?.glance?.()]).toEqual([reading, reading]);
    expect(system.held).toEqual([there[0]]);
    expect(other?.glance?.()).toMatchObject({ time });
    expect(system.held).toEqual([there[1]]);
    there.length = 0;
    expect(() => other?.glance?.()).toThrow('No such file or directory');
    expect(system.held).toEqual([]);
  });

  /** The hardware clock of a PC, of which sysfs says these things in turn, the last for ever. */
  function inSysfs(system: Machine, said: readonly (string | undefined)[], { driver = 'rtc_cmos 00:05', local = false } = {}) {
    const root = clocks({}, ['dev/rtc0']);
    const left = [...said];
    const look = (path: string): string | undefined => {
      if (path === `${root}/sys/class/rtc/rtc0/name`) return driver;
      expect(path).toBe(`${root}/sys/class/rtc/rtc0/since_epoch`);
      return left.length > 1 ? left.shift() : left[0];
    };
    const [rtc] = hardwareReference(root, system, async () => local, look);
    return { rtc };
  }

  it('have a hardware clock that is read without its device, and at once, where its driver takes no time', async () => {
    const { rtc } = inSysfs(machine({ clocks: [] }), ['1893553445']);

    const reading = { time: 1_893_553_445_000_000_000n, monotonic: 42n, within: 1_000_000_000n };
    expect(await rtc?.read('at once')).toEqual(reading);
    expect(rtc?.glance?.()).toEqual(reading);
  });

  it('have one in local time whose fields sysfs takes for those of UTC', async () => {
    const { rtc } = inSysfs(machine(), [String(Date.UTC(2030, 0, 2, 3, 4, 5) / 1000)], { local: true });

    expect((await rtc?.read('at once'))?.time).toBe(BigInt(new Date(2030, 0, 2, 3, 4, 5).getTime()) * 1_000_000n);
  });

  const busy: Machine = { ...machine(), readHardwareClock: () => Promise.reject(posixError('EBUSY', { syscall: 'open' })) };

  it('have one that is read exactly while somebody holds its device', async () => {
    const { rtc } = inSysfs(busy, ['1893553445', '1893553445', '1893553445', '1893553446']);

    expect(await rtc?.read('exactly')).toEqual({ time: 1_893_553_446_000_000_000n, monotonic: 42n, within: 2_000_000n });
  });

  it.each([[['rubbish']], [['']], [[undefined]]])('fail where sysfs says %j', async (said) => {
    const { rtc } = inSysfs(machine(), said);

    expect(() => rtc?.glance?.()).toThrow('No such device');
    await expect(rtc?.read('at once')).rejects.toMatchObject({ os: { code: 'ENODEV' } });
  });

  it('are read by the device where the driver may take long', async () => {
    const { rtc } = inSysfs(busy, ['1893553445'], { driver: 'rtc-ds1307 1-0068' });

    expect(Object.keys(rtc ?? {})).toEqual(['name', 'read']);
    await expect(rtc?.read('exactly')).rejects.toMatchObject({ os: { code: 'EBUSY' } });
  });

  it('tell the zone of a hardware clock once', async () => {
    const root = clocks({}, ['dev/rtc0']);
    const system = machine({ clocks: [join(root, 'dev/rtc0')] });
    const files: string[] = [];
    const [rtc] = await listed(root, { ...system, readFile: async (path) => {
      files.push(path.toString());
      return Buffer.from('0.0 0 0.0\n0\nUTC\n');
    } });

    await rtc?.read('at once');
    await rtc?.read('at once');

    expect(files).toHaveLength(1);
  });

  it('move the wall clock alone', async () => {
    const system = machine();

    await linuxClock({ system }).references?.step(-5n);

    expect([system.wall, system.hardware]).toEqual([-5n, undefined]);
  });

  it('say why they could not', async () => {
    await expect(linuxClock({ system: machine({ refuseWall: 'EPERM' }) }).references?.step(1n)).rejects.toThrow('Operation not permitted');
  });
});
