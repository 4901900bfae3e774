// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { settled } from '../../../adapters/fake/clock.ts';
import { FakeLog } from '../../../adapters/fake/log.ts';
import type { FakeMachine } from '../../../adapters/fake/machine.ts';
import { FakeStateStore } from '../../../adapters/fake/state-store.ts';
import { AgentError } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import type { Backend, Clock, GenerationHook, ReferenceClock } from '../../../core/ports/index.ts';
import { composeAgent } from '../../../core/compose-agent.ts';
import { writeLegacy } from '../../../core/legacy.ts';
import { request } from '../agent/agent-on-fake.ts';
import { hour, restoredGuest, year } from './restored-guest.ts';

const nsPerMs = 1_000_000n;
const start = 1_767_225_600_000_000_000n;
const late = (ms: number): bigint => start + BigInt(ms) * nsPerMs;

type References = NonNullable<Clock['references']>;

/** With other clocks than the machine's; `step` is the machine's. */
const withClocks = (...clocks: readonly ReferenceClock[]) => (backend: Backend): Backend => ({
  ...backend,
  clock: {
    now: () => backend.clock.now(),
    monotonic: () => backend.clock.monotonic(),
    after: (ms, callback) => backend.clock.after(ms, callback),
    references: { list: async () => clocks, step: async (by) => backend.clock.references?.step(by) },
  },
});

const hooksOf = (machine: FakeMachine): readonly string[] => machine.generation.runs.map(({ name, from, to }) => `${name} ${from} ${to}`);

describe('a guest that is restored', () => {
  it('has the right time in its first answer, from the best clock', async () => {
    const { machine, host, report } = await restoredGuest();

    machine.generation.restored(hour);
    host.send(request('guest-get-time'));

    expect(await host.nextLine()).toBe(`{"return": ${late(hour)}}`);
    expect(await report()).toMatchObject({ number: 1, clock: { result: 'stepped', occasion: 'generation', source: '/dev/ptp0', 'off-by': hour * 1e6 } });
    expect(machine.clock.hardware()).toBe(machine.clock.now());
  });

  it('has it from the hardware clock where there is no better one, to the edge of its second', async () => {
    const { machine, ask, report } = await restoredGuest({ machine: { hypervisorClock: 'absent', startTime: start + 400n * nsPerMs } });

    machine.generation.restored(hour + 300);

    expect(await ask('guest-get-time')).toBe(Number(late(hour + 700)));
    expect((await report()).clock).toMatchObject({ result: 'stepped', source: '/dev/rtc0' });
  });

  it.each([
    ['behind by no more than the limit', 900],
    ['not off at all', 0],
  ])('keeps a clock that is %s', async (_, ms) => {
    const { machine, ask, report } = await restoredGuest();

    machine.generation.restored(ms);

    expect(await ask('guest-get-time')).toBe(Number(start));
    expect((await report()).clock).toMatchObject({ result: 'right', 'off-by': ms * 1e6 });
  });

  it('sets a clock back that is ahead', async () => {
    const { machine, ask } = await restoredGuest();

    machine.clock.jump(hour);
    machine.generation.announce();

    expect(await ask('guest-get-time')).toBe(Number(start));
  });

  it('keeps its clock where it is never to be stepped', async () => {
    const { machine, report } = await restoredGuest({ limitMs: 0 });

    machine.generation.restored(hour);

    expect((await report()).clock).toMatchObject({ result: 'left', 'off-by': hour * 1e6 });
    expect(machine.clock.now()).toBe(start);
  });

  it('believes no clock that lies by years, says so, and takes the next', async () => {
    const { machine, log, report } = await restoredGuest();

    machine.clock.setHypervisor(0n);
    machine.clock.setHardware(late(hour));
    machine.generation.announce();

    expect((await report()).clock).toMatchObject({ result: 'stepped', source: '/dev/rtc0' });
    expect(log.lines.map(({ text }) => text).join('\n')).toContain('/dev/ptp0 is not believed: the wall clock would be off by more than 5 years');
  });

  it.each([-6, 6])('keeps its clock where all of them lie by %d years', async (years) => {
    const { machine, report } = await restoredGuest({ machine: { hardwareClock: 'absent' } });

    machine.clock.setHypervisor(start + BigInt(years * year) * nsPerMs);
    machine.generation.announce();

    expect((await report()).clock).toMatchObject({ result: 'refused' });
    expect(machine.clock.now()).toBe(start);
  });

  it('goes on without a clock that fails, that hangs, or that there is none of', async () => {
    const failing: ReferenceClock = { name: 'failing', read: async () => { throw posixError('EIO'); } };
    const hanging: ReferenceClock = { name: 'hanging', read: () => new Promise(() => {}) };
    const one = await restoredGuest({ backend: withClocks(failing) });
    const two = await restoredGuest({ backend: withClocks(hanging) });
    const none = await restoredGuest({ backend: withClocks() });

    for (const { machine } of [one, two, none]) machine.generation.announce();
    await two.machine.clock.advance(10_000);

    expect((await one.report()).clock).toMatchObject({ result: 'failed', source: 'failing' });
    expect((await two.report()).clock).toMatchObject({ result: 'failed', detail: 'it did not answer within 3 s' });
    expect((await none.report()).clock).toMatchObject({ result: 'unknown' });
  });

  it('says why its clock could not be set', async () => {
    const { machine, report } = await restoredGuest({ machine: { agent: { uid: 1000 }, hardwareClock: 'absent' } });

    machine.generation.restored(hour);

    expect((await report()).clock).toMatchObject({ result: 'failed', detail: 'Operation not permitted' });
  });

  it('says why no clocks could be listed', async () => {
    const broken: References = { list: () => Promise.reject(AgentError.failed('no /sys')), step: async () => undefined };
    const { machine, report } = await restoredGuest({ backend: (backend) => ({ ...backend, clock: { ...withClocks()(backend).clock, references: broken } }) });

    machine.generation.announce();

    expect((await report()).clock).toMatchObject({ result: 'failed', detail: 'no /sys' });
  });

  it('runs its hooks once, in order, after the clock is right, with both generations', async () => {
    const { machine, report, log } = await restoredGuest({ machine: { generationHooks: [
      { name: '10-id', output: 'new identity\n' }, { name: '20-dhcp', ok: false, output: 'no lease\n' }, { name: '30-loose', refused: 'it can be written by everybody' }, { name: '40-last' },
    ] } });

    machine.generation.restored(hour);
    await settled();

    expect(machine.generation.runs).toEqual(['10-id', '20-dhcp', '40-last'].map((name) => ({ name, from: 0, to: 1, clockOffBy: BigInt(hour) * nsPerMs, at: late(hour) })));
    expect(await report()).toMatchObject({ 'hooks-under-way': false, hooks: [
      { name: '10-id', ok: true, output: 'new identity\n' },
      { name: '20-dhcp', ok: false, error: 'child process has failed to execute generation hook 20-dhcp: no lease\n' },
      { name: '30-loose', ok: false, error: 'it must not run: it can be written by everybody' },
      { name: '40-last', ok: true },
    ] });
    expect(log.lines.map(({ text }) => text)).toContain('generation hook 10-id: new identity\n');
  });

  it('tells hooks nothing of a clock that could not be compared', async () => {
    const { machine } = await restoredGuest({ machine: { generationHooks: [{ name: 'id' }] }, backend: withClocks() });

    machine.generation.announce();
    await settled();

    expect(machine.generation.runs[0]).not.toHaveProperty('clockOffBy');
  });

  it('answers while a hook hangs, and says that it is not over', async () => {
    const { machine, ask, report } = await restoredGuest({ machine: { generationHooks: [{ name: 'slow', takesMs: 50_000 }, { name: 'next' }] } });

    machine.generation.restored(hour);

    expect(await ask('guest-ping')).toEqual({});
    expect(await report()).toMatchObject({ 'hooks-under-way': true, hooks: [] });
    await machine.clock.advance(60_000);
    expect(await report()).toMatchObject({ 'hooks-under-way': false, hooks: [{ name: 'slow' }, { name: 'next' }] });
  });

  it('survives a hook that rejects, and hooks that cannot be listed', async () => {
    const rejecting: GenerationHook = { name: 'odd', run: () => Promise.reject(new Error('odd')) };
    const odd = await restoredGuest({ backend: (backend) => ({ ...backend, generation: { watch: async (listener) => backend.generation!.watch(listener), hooks: async () => [rejecting] } }) });
    const unlisted = await restoredGuest();
    unlisted.machine.faults.inject({ port: 'generation', method: 'hooks', error: 'EACCES' });

    for (const { machine } of [odd, unlisted]) machine.generation.announce();
    await settled();

    expect((await odd.report()).hooks).toMatchObject([{ name: 'odd', ok: false, error: 'odd' }]);
    expect(await unlisted.report()).toMatchObject({ 'hooks-under-way': false, error: 'Permission denied' });
  });

  it('twice is two generations, one after the other; the report is of the last', async () => {
    const { machine, report } = await restoredGuest({ machine: { generationHooks: [{ name: 'id', takesMs: 1000 }] } });

    machine.generation.announce();
    machine.generation.announce();
    await machine.clock.advance(10_000);

    expect(hooksOf(machine)).toEqual(['id 0 1', 'id 1 2']);
    expect(await report()).toMatchObject({ number: 2, hooks: [{ name: 'id' }], 'hooks-under-way': false });
  });

  it('is thawed first where it was frozen, and its hooks find nothing frozen', async () => {
    const { machine, ask, log } = await restoredGuest({ machine: { generationHooks: [{ name: 'id' }] } });
    await ask('guest-fsfreeze-freeze');
    expect(machine.fileSystems.frozen).not.toEqual([]);

    machine.generation.restored(hour);
    await machine.clock.advance(1000);

    expect(machine.fileSystems.frozen).toEqual([]);
    expect(hooksOf(machine)).toEqual(['id 0 1']);
    expect(log.lines.map(({ text }) => text)).toContain('the freeze that was on is over: the host that it was for is that of another generation');
  });

  it('is thawed first where it was just being frozen, too', async () => {
    const { machine, host, log } = await restoredGuest({ machine: { generationHooks: [{ name: 'id' }] } });
    const held = machine.faults.inject({ port: 'kernel', method: 'fifreeze', on: '/boot', hang: true });
    host.send(request('guest-fsfreeze-freeze'));
    await settled();

    machine.generation.restored(hour);
    await settled();
    expect(hooksOf(machine)).toEqual([]);
    held.release();
    await machine.clock.advance(1000);

    expect(await host.nextLine()).toContain('return');
    expect(machine.fileSystems.frozen).toEqual([]);
    expect(hooksOf(machine)).toEqual(['id 0 1']);
    expect(log.lines.map(({ text }) => text)).toContain('the freeze that was on is over: the host that it was for is that of another generation');
  });

  it('runs its hooks where the thaw fails, too', async () => {
    const { machine, ask, log } = await restoredGuest({ machine: { generationHooks: [{ name: 'id' }] } });
    await ask('guest-fsfreeze-freeze');
    machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: Infinity });

    machine.generation.announce();
    await machine.clock.advance(1000);

    expect(hooksOf(machine)).toEqual(['id 0 1']);
    expect(log.lines.map(({ text }) => text).join('\n')).toContain('failed to thaw after a restore');
  });

  it('ends conversations whose hosts are gone, in the middle of an answer too, and no others', async () => {
    const { machine, transport, host, report } = await restoredGuest();
    const gone = transport.connect({ endsWithGeneration: true });
    await settled();
    gone.stall();
    gone.send(request('guest-info'));
    await settled();

    machine.generation.announce();
    await settled();

    expect([gone.isClosed, host.isClosed]).toEqual([true, false]);
    expect((await report())['connections-dropped']).toBe(1);
  });

  it('answers a request that is under way, and the next', async () => {
    const { machine, host } = await restoredGuest();
    const held = machine.faults.inject({ port: 'fileSystem.usage', method: 'list', hang: true });
    host.send(request('guest-get-fsinfo', undefined, 1) + request('guest-get-time', undefined, 2));
    await settled();

    machine.generation.restored(hour);
    await settled();
    held.release();

    expect(await host.nextLine()).toContain('"id": 1');
    expect(await host.nextLine()).toBe(`{"return": ${late(hour)}, "id": 2}`);
  });

  it('has a report before it was ever restored', async () => {
    expect(await (await restoredGuest()).report()).toEqual({ number: 0, hooks: [], 'hooks-under-way': false });
  });

  it('is no longer listened to when its agent has ended, also while it was just beginning to', async () => {
    const { machine, agent } = await restoredGuest();
    expect(machine.generation.listeners).toBe(1);

    await agent.stop();
    agent.ready();
    await settled();

    expect(machine.generation.listeners).toBe(0);
  });

  it('needs no timer while nothing is said', async () => {
    const { machine } = await restoredGuest();

    expect(machine.clock.waitingTimers).toBe(0);
  });
});

describe('a system that cannot hear of it', () => {
  it('is served all the same, and the log says why', async () => {
    const { log, ask } = await restoredGuest({ backend: (backend) => ({ ...backend, generation: { watch: () => Promise.reject(posixError('EPERM')), hooks: async () => [] } }) });

    expect(await ask('guest-ping')).toEqual({});
    expect(log.lines.map(({ text }) => text)).toContain('a restore of this guest cannot be heard of: Operation not permitted');
  });

  it('has no report', async () => {
    const { host } = await restoredGuest({ machine: { without: ['generation'] } });
    host.send(request('__org.concierge_generation'));

    expect(await host.nextLine()).toContain('CommandNotFound');
  });

  it('with clocks of a hypervisor finds that it stood still when a host comes', async () => {
    const { machine, host, ask } = await restoredGuest({ machine: { without: ['generation'] } });

    machine.clock.standStill(hour);
    host.changeHost(true);

    expect(await ask('guest-get-time')).toBe(Number(late(hour)));
  });

  it('without either leaves everything as it is', async () => {
    const { machine, host, ask } = await restoredGuest({ machine: { without: ['generation', 'clock.references'] } });

    machine.clock.standStill(hour);
    host.changeHost(true);

    expect(await ask('guest-get-time')).toBe(Number(start));
  });

  it('without clocks runs hooks', async () => {
    const { machine, report } = await restoredGuest({ machine: { without: ['clock.references'], generationHooks: [{ name: 'id' }] } });

    machine.generation.announce();
    await settled();

    expect(await report()).toMatchObject({ clock: { result: 'unknown' }, hooks: [{ name: 'id', ok: true }] });
  });
});

describe('a host that comes', () => {
  it('finds the right time after a standstill of which nobody was told, on vsock as on a port', async () => {
    const { machine, transport } = await restoredGuest();
    machine.clock.standStill(hour);

    const host = transport.connect({ endsWithGeneration: true });
    host.send(request('guest-get-time'));

    expect(await host.nextLine()).toBe(`{"return": ${late(hour)}}`);
  });

  it('is told of it in the report', async () => {
    const { machine, host, report } = await restoredGuest();

    machine.clock.standStill(hour);
    host.changeHost(true);

    expect(await report()).toMatchObject({ number: 0, clock: { result: 'stepped', occasion: 'host' } });
  });

  it.each([
    ['somebody in the guest has set it', (machine: FakeMachine) => machine.clock.jump(-hour)],
    ['both have gone on', (machine: FakeMachine) => {
      machine.clock.standStill(hour);
      machine.clock.jump(hour);
    }],
    ['the hypervisor has set its own back', (machine: FakeMachine) => machine.clock.standStill(-hour)],
    ['it was only for a moment', (machine: FakeMachine) => machine.clock.standStill(900)],
  ])('changes nothing where %s', async (_, change) => {
    const { machine, host, ask } = await restoredGuest();
    change(machine);
    const before = machine.clock.now();

    host.changeHost(true);

    expect(await ask('guest-get-time')).toBe(Number(before));
  });

  it.each([
    ['does not answer', ['one', undefined]],
    ['is another one', ['one', 'other']],
    ['did not answer before', [undefined, 'one']],
  ] as const)('changes nothing where a clock %s', async (_, names) => {
    let name: string | undefined = names[0];
    let ahead = 0n;
    const clock = (backend: Backend): ReferenceClock => ({
      name: name ?? 'none',
      read: async () => {
        if (name === undefined) throw posixError('EIO');
        return { time: backend.clock.now() + ahead, monotonic: backend.clock.monotonic(), within: 0n };
      },
    });
    const { host, ask } = await restoredGuest({ backend: (backend) => {
      const { clock: changed } = withClocks()(backend);
      return { ...backend, clock: { ...changed, references: { list: async () => [clock(backend)], step: async (by) => backend.clock.references?.step(by) } } };
    } });

    name = names[1];
    ahead = BigInt(hour) * nsPerMs;
    host.changeHost(true);

    expect(await ask('guest-get-time')).toBe(Number(start));
  });

  it('is not one where only another request begins', async () => {
    const { machine, host, ask } = await restoredGuest();

    machine.clock.standStill(hour);
    host.changeHost();

    expect(await ask('guest-get-time')).toBe(Number(start));
  });

  it('makes nobody look where the clock is never to be stepped', async () => {
    const { machine, host, ask } = await restoredGuest({ limitMs: 0 });

    machine.clock.standStill(hour);
    host.changeHost(true);

    expect(await ask('guest-get-time')).toBe(Number(start));
  });
});

describe('an agent that follows one of an earlier version', () => {
  it.each([
    ['nothing', undefined, 0],
    ['clocks that do not say when they were read', { source: '/dev/ptp0', reference: start, wall: start, within: 0n }, hour],
  ])('goes on from %s', async (_, clocks, ms) => {
    const { machine } = await restoredGuest();
    const generation = { report: { number: 0, hooks: [], 'hooks-under-way': false }, clocks };
    const agent = composeAgent({
      backend: machine.backend, log: new FakeLog(), stateStore: new FakeStateStore(),
      freezeSettings: { deadlineMs: 600_000, withinMs: 0, excluded: [], unknownMountPoints: 'error' },
      lists: { allow: [], block: [] }, version: '11.1.0',
      sleep: { keeper: { legacy: writeLegacy(clocks === undefined ? {} : { generation }), sleep: () => false } },
    });
    machine.clock.standStill(hour);
    agent.ready();
    await settled();

    expect(machine.clock.now()).toBe(late(ms));
  });
});
