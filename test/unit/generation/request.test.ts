// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { settled } from '../../../adapters/fake/clock.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import type { Backend, ReferenceClock } from '../../../core/ports/index.ts';
import { request } from '../agent/agent-on-fake.ts';
import { hour, restoredGuest } from './restored-guest.ts';

const nsPerMs = 1_000_000n;
const start = 1_767_225_600_000_000_000n;
const at = (ms: number): number => Number(start + BigInt(ms) * nsPerMs);
const rtcAlone = { without: ['generation' as const], hypervisorClock: 'absent' as const };

/** A guest of which a test sees how its clock is read. */
async function watchedGuest(clock: (backend: Backend) => Omit<ReferenceClock, 'name'>, listed: () => boolean = () => true) {
  const reads: string[] = [];
  const guest = await restoredGuest({ backend: (backend) => {
    const { read, glance } = clock(backend);
    const watched: ReferenceClock = {
      name: 'watched',
      read: (how) => {
        reads.push(how);
        return read(how);
      },
      ...(glance === undefined ? {} : { glance: () => {
        reads.push('glance');
        return glance();
      } }),
    };
    return { ...backend, clock: {
      now: () => backend.clock.now(),
      monotonic: () => backend.clock.monotonic(),
      after: (ms, callback) => backend.clock.after(ms, callback),
      references: { list: async () => (listed() ? [watched] : []), step: async (by) => backend.clock.references?.step(by) },
    } };
  } });
  return { ...guest, reads };
}

const right = ({ clock }: Backend) => async () => ({ time: clock.now(), monotonic: clock.monotonic(), within: 0n });

describe('a request that is in the port already when the guest goes on', () => {
  it('is answered with the right time, before the kernel has said anything', async () => {
    const { machine, host, report } = await restoredGuest();
    await machine.clock.advance(20);

    machine.clock.standStill(hour);
    host.send(request('guest-get-time'));

    expect(await host.nextLine()).toBe(`{"return": ${at(hour + 20)}}`);
    expect(await report()).toMatchObject({ number: 0, clock: { result: 'stepped', occasion: 'request', source: '/dev/ptp0' } });
  });

  it('is, by a hardware clock alone, where nothing was asked for a quarter of a second', async () => {
    const { machine, ask } = await restoredGuest({ machine: rtcAlone });
    await machine.clock.advance(300);

    machine.clock.standStill(hour);

    expect(await ask('guest-get-time')).toBe(at(hour + 300));
  });

  it('is not where the last look was only a moment ago: the next one is', async () => {
    const { machine, ask } = await restoredGuest();

    machine.clock.standStill(hour);

    expect(await ask('guest-get-time')).toBe(at(0));
    await machine.clock.advance(10);
    expect(await ask('guest-get-time')).toBe(at(hour + 10));
  });

  it.each([['the hypervisor\'s clock', {}], ['a hardware clock', rtcAlone]])('is, by %s, however short a time ago the guest was frozen for its snapshot', async (_, machineOptions) => {
    const { machine, ask } = await restoredGuest({ machine: machineOptions });
    await ask('guest-fsfreeze-freeze');
    const before = machine.clock.now();

    machine.clock.standStill(hour);

    expect(await ask('guest-ping')).toEqual({});
    expect(machine.clock.now()).toBe(before + BigInt(hour) * nsPerMs);
    expect(machine.fileSystems.frozen).not.toEqual([]);
  });

  it('counts once where the kernel says it afterwards', async () => {
    const { machine, ask, report } = await restoredGuest({ machine: { generationHooks: [{ name: 'id' }] } });
    await machine.clock.advance(20);

    machine.clock.standStill(hour);
    await ask('guest-get-time');
    machine.generation.announce();
    await settled();

    expect(await report()).toMatchObject({ number: 1, clock: { result: 'right', occasion: 'generation' }, hooks: [{ name: 'id', ok: true }] });
    expect(machine.generation.runs).toHaveLength(1);
  });

  it.each([['generation', 1], ['disruption', 0]] as const)('finds what was marked for those who look: a %s', async (news, number) => {
    const { machine, ask, report } = await restoredGuest();

    machine.clock.standStill(hour);
    machine.generation.mark(news);

    expect(await ask('guest-get-time')).toBe(at(hour));
    expect(await report()).toMatchObject({ number, clock: { result: 'stepped', occasion: news } });
  });
});

describe('a host that comes after a restore of which nobody has heard, a moment after the last look', () => {
  it.each([
    ['guest-sync', rtcAlone], ['guest-sync-delimited', rtcAlone], ['guest-sync', {}], ['guest-sync-delimited', {}],
  ])('has the right time when its %s is answered', async (execute, machineOptions) => {
    const { machine, host } = await restoredGuest({ machine: machineOptions });

    machine.clock.standStill(hour);
    host.send(request(execute, { id: 7 }) + request('guest-get-time'));

    expect((await host.nextLine()).replace('\u00FF', '')).toBe('{"return": 7}');
    expect(machine.clock.now()).toBe(start + BigInt(hour) * nsPerMs);
    expect(await host.nextLine()).toBe(`{"return": ${at(hour)}}`);
  });

  it.each([['the hypervisor\'s clock', {}], ['a hardware clock', rtcAlone]])('has the right time without one, by %s, where the port was without a host for a moment', async (_, machineOptions) => {
    const { machine, host, ask } = await restoredGuest({ machine: machineOptions });

    machine.clock.standStill(hour);
    host.miss();

    expect(await ask('guest-get-time')).toBe(at(hour));
  });

  it('is told of in the report as the one for whom the clock was set', async () => {
    const { machine, host, ask, report } = await restoredGuest();

    machine.clock.standStill(hour);
    host.miss();
    await ask('guest-get-time');

    expect(await report()).toMatchObject({ number: 0, clock: { result: 'stepped', occasion: 'host' } });
  });

  it('is not another one with its second request', async () => {
    const { machine, host, ask } = await restoredGuest({ machine: rtcAlone });
    host.miss();
    await ask('guest-ping');

    machine.clock.standStill(hour);

    expect(await ask('guest-get-time')).toBe(at(0));
  });

  it('costs one look for its guest-sync, however long ago the last one was, and none where the clock is never to be stepped', async () => {
    const { machine, ask, reads } = await watchedGuest((backend) => ({ read: right(backend) }));
    const never = await restoredGuest({ machine: rtcAlone, limitMs: 0 });
    await machine.clock.advance(1000);
    reads.length = 0;

    await ask('guest-sync', { id: 1 });
    expect(reads).toEqual(['at once']);
    await ask('guest-sync', { id: 1 });
    expect(reads).toEqual(['at once', 'at once']);

    never.machine.clock.standStill(hour);
    await never.ask('guest-sync', { id: 1 });
    expect(never.machine.clock.now()).toBe(start);
  });
});

describe('a clock that is looked at before requests', () => {
  it('is not looked at while they come in quick succession, nor while none comes', async () => {
    const { machine, ask, reads } = await watchedGuest((backend) => {
      const read = right(backend);
      return { read, glance: () => ({ time: backend.clock.now(), monotonic: backend.clock.monotonic(), within: 0n }) };
    });
    reads.length = 0;

    for (let round = 0; round < 5; round += 1) await ask('guest-ping');
    await machine.clock.advance(3_600_000);
    expect(reads).toEqual([]);
    for (let round = 0; round < 5; round += 1) await ask('guest-ping');

    expect(reads).toEqual(['glance']);
  });

  it('is looked at no sooner than after a quarter of a second where that takes longer', async () => {
    const { machine, ask, reads } = await watchedGuest((backend) => ({ read: right(backend) }));
    reads.length = 0;

    for (const ms of [100, 100, 60, 10, 10]) {
      await machine.clock.advance(ms);
      await ask('guest-ping');
    }

    expect(reads).toEqual(['at once']);
  });

  it('may run apart from the guest, as clocks do, by days without a request', async () => {
    const { machine, ask } = await restoredGuest();

    await machine.clock.advance(30 * 24 * hour);
    machine.clock.standStill(60_000);
    const before = machine.clock.now();

    expect(await ask('guest-get-time')).toBe(Number(before));
  });

  it('is compared with the last look, however long the first was ago', async () => {
    const { machine, ask } = await restoredGuest();
    await machine.clock.advance(30 * 24 * hour);
    await ask('guest-ping');
    await machine.clock.advance(1000);

    machine.clock.standStill(60_000);

    expect(await ask('guest-get-time')).toBe(at(30 * 24 * hour + 61_000));
  });

  it('that hangs holds up one request, and no other', async () => {
    let hangs = false;
    const { machine, host, ask } = await watchedGuest((backend) => ({ read: (how) => (hangs ? new Promise(() => {}) : right(backend)().then((reading) => ({ ...reading, how }))) }));
    hangs = true;
    await machine.clock.advance(1000);
    host.send(request('guest-ping'));
    await machine.clock.advance(3000);
    expect(await host.nextLine()).toBe('{"return": {}}');

    await machine.clock.advance(1000);

    expect(await ask('guest-ping')).toEqual({});
  });

  it('that was busy for once is asked again', async () => {
    let fails = true;
    let stood = false;
    const { machine, ask } = await watchedGuest(({ clock }) => ({ read: async () => {
      if (fails) throw posixError('EBUSY');
      return { time: clock.now() + (stood ? BigInt(hour) * nsPerMs : 0n), monotonic: clock.monotonic(), within: 0n };
    } }));
    await machine.clock.advance(1000);
    await ask('guest-ping');
    fails = false;
    await machine.clock.advance(1000);
    await ask('guest-ping');

    stood = true;
    await machine.clock.advance(1000);

    expect(await ask('guest-get-time')).toBe(at(3000 + hour));
  });

  it('whose quick way fails is read in the other', async () => {
    const { machine, ask, reads } = await watchedGuest((backend) => ({ read: right(backend), glance: () => { throw posixError('ENODEV'); } }));
    reads.length = 0;

    for (let round = 0; round < 3; round += 1) {
      await machine.clock.advance(300);
      await ask('guest-ping');
    }

    expect(reads).toEqual(['glance', 'at once', 'at once', 'at once']);
  });

  it('that is gone tells nothing', async () => {
    let listed = true;
    const { machine, host, ask, reads } = await watchedGuest((backend) => ({ read: right(backend) }), () => listed);
    listed = false;
    host.changeHost(true);
    await ask('guest-ping');
    reads.length = 0;
    await machine.clock.advance(1000);

    await ask('guest-ping');

    expect(reads).toEqual([]);
  });

  it('is not looked at where the wall clock is never to be stepped', async () => {
    const { machine, ask } = await restoredGuest({ limitMs: 0 });
    await machine.clock.advance(1000);

    machine.clock.standStill(hour);
    machine.generation.mark('disruption');

    expect(await ask('guest-get-time')).toBe(at(1000));
  });
});

describe('a storm', () => {
  it('of generations runs the hooks twice at most: for the first, and for all that came meanwhile', async () => {
    const { machine, report } = await restoredGuest({ machine: { generationHooks: [{ name: 'id', takesMs: 1000 }] } });

    for (let count = 0; count < 1000; count += 1) machine.generation.announce();
    await machine.clock.advance(500);
    for (let count = 0; count < 1000; count += 1) machine.generation.announce();
    await machine.clock.advance(10_000);

    expect(machine.generation.runs.map(({ from, to }) => [from, to])).toEqual([[0, 1], [1, 2000]]);
    expect(await report()).toMatchObject({ number: 2000, hooks: [{ name: 'id' }], 'hooks-under-way': false });
  });

  it('of two: the second look at the clock waits for the first, and requests for both', async () => {
    let takesMs = 0;
    const { machine, host, report } = await watchedGuest((backend) => ({ read: async () => {
      await new Promise<void>((resolve) => void (takesMs === 0 ? resolve() : backend.clock.after(takesMs, resolve)));
      return right(backend)();
    } }));
    takesMs = 100;
    machine.generation.announce();
    await settled();
    machine.generation.announce();

    host.send(request('guest-get-time'));
    await machine.clock.advance(100);
    expect(host.received).toEqual([]);
    await machine.clock.advance(1000);

    expect(await host.nextLine()).toContain('return');
    takesMs = 0;
    expect(await report()).toMatchObject({ number: 2 });
  });

  it('of generations during a freeze thaws it, and of hosts looks at the clock twice at most', async () => {
    const { machine, ask, host, reads } = await watchedGuest((backend) => ({ read: right(backend) }));
    await ask('guest-fsfreeze-freeze');
    reads.length = 0;

    for (let count = 0; count < 1000; count += 1) {
      machine.generation.announce(count % 2 === 0 ? 'generation' : 'disruption');
      host.changeHost(true);
    }
    await settled();

    expect(machine.fileSystems.frozen).toEqual([]);
    expect(reads.length).toBeLessThanOrEqual(4);
  });
});
