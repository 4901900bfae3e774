// SPDX-License-Identifier: Apache-2.0
/** What others are told, and what they wait for, while a freeze or thaw is under way or has failed. */
import { describe, expect, it } from 'vitest';

import { settled } from '../../../adapters/fake/clock.ts';
import type { Freezing } from '../../../core/ports/index.ts';
import { agentOnFake, refusal, request } from '../agent/agent-on-fake.ts';
import { freezingGuest } from './freezing-guest.ts';

const slowHook = [{ name: 'db', phases: { freeze: { takesMs: 4_000 }, thaw: { takesMs: 4_000 } } }];

describe('status, of a freeze that is under way', () => {
  it('is answered to the next host when it is done: frozen, whether or not the host that asked for it is still there', async () => {
    const { connect, machine } = await agentOnFake({ machine: { hooks: slowHook } });
    const first = connect();
    first.send(request('guest-fsfreeze-freeze'));
    await machine.clock.advance(1_500);
    first.close();
    const next = connect();

    next.send(request('guest-fsfreeze-status'));
    const answer = next.nextLine();
    await machine.clock.advance(4_000);

    expect(await answer).toBe('{"return": "frozen"}');
    expect(machine.fileSystems.frozen).toHaveLength(4);
  });

  it('is thawed where it fails', async () => {
    const { controller, machine } = freezingGuest({ hooks: slowHook });
    machine.faults.inject({ port: 'kernel', method: 'fifreeze', on: '/data', error: 'EIO' });
    const freezing = expect(controller.freeze()).rejects.toThrow('failed to freeze /data');

    const status = controller.whenSettled(() => controller.status);
    await machine.clock.advance(10_000);
    await freezing;

    expect(await status).toBe('thawed');
  });

  it('keeps no ping, and no host that asks twice, waiting for ever: after ten minutes it is an error', async () => {
    const { connect, machine } = await agentOnFake();
    const stuck = machine.faults.inject({ port: 'kernel', method: 'fifreeze', hang: true, times: Infinity });
    const first = connect();
    first.send(request('guest-fsfreeze-freeze'));
    await settled();
    const next = connect();
    next.send(request('guest-fsfreeze-status'));
    const pinging = connect();
    pinging.send(request('guest-ping'));

    expect(await pinging.nextLine()).toBe('{"return": {}}');
    const answer = next.nextLine();
    await machine.clock.advance(600_000);
    expect(await answer).toBe(refusal('file systems have been on their way between thawed and frozen for 600 s'));
    stuck.release();
  });

  it('waits for the thaw of a freeze, and so does the report', async () => {
    const { connect, machine } = await agentOnFake();
    const host = connect();
    host.send(request('guest-fsfreeze-freeze'));
    await host.nextLine();
    const slow = machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', hang: true });
    host.send(request('guest-fsfreeze-thaw'));
    await settled();
    const [other, third] = [connect(), connect()];

    other.send(request('guest-fsfreeze-status'));
    third.send(request('__org.concierge_fsfreeze-report'));
    await settled();
    slow.release();

    expect(await other.nextLine()).toBe('{"return": "thawed"}');
    expect(await third.nextLine()).toContain('"ended-by": "thaw"');
  });
});

describe('commands, while a thaw is under way', () => {
  it('wait for it where it ends a freeze', async () => {
    const { connect, machine } = await agentOnFake();
    const [host, other] = [connect(), connect()];
    host.send(request('guest-fsfreeze-freeze'));
    await host.nextLine();
    const slow = machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', hang: true });
    host.send(request('guest-fsfreeze-thaw'));
    await settled();

    other.send(request('guest-get-host-name'));
    await settled();
    slow.release();

    expect(await other.nextLine()).toContain('"host-name"');
    expect(await host.nextLine()).toBe('{"return": 4}');
  });

  it('are answered at once where nothing is frozen, whatever its hooks do', async () => {
    const { connect, machine } = await agentOnFake({ machine: { hooks: slowHook } });
    const [host, other] = [connect(), connect()];
    host.send(request('guest-fsfreeze-thaw'));
    await settled();

    other.send(request('guest-get-host-name'));
    other.send(request('guest-fsfreeze-status'));

    expect(await other.nextLine()).toContain('"host-name"');
    expect(await other.nextLine()).toBe('{"return": "thawed"}');
    await machine.clock.advance(4_000);
    expect(await host.nextLine()).toBe('{"return": 0}');
  });

  it('may be a freeze: it comes after the thaw, and the second of two is refused', async () => {
    const { controller, machine, frozen } = freezingGuest({ hooks: [{ name: 'db', phases: { thaw: { takesMs: 4_000 } } }] });
    const thawing = controller.thaw();

    const first = controller.freeze();
    const second = expect(controller.freeze()).rejects.toThrow('has been disabled');
    await machine.clock.advance(4_000);

    expect([await thawing, await first]).toEqual([0, 4]);
    await second;
    expect(frozen()).toHaveLength(4);
  });

  it('are 256 at most', async () => {
    const { connect, machine } = await agentOnFake();
    const host = connect();
    host.send(request('guest-fsfreeze-freeze'));
    await host.nextLine();
    const slow = machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', hang: true });
    host.send(request('guest-fsfreeze-thaw'));
    await settled();
    const others = Array.from({ length: 257 }, () => connect());

    for (const other of others) other.send(request('guest-get-host-name'));
    await settled();
    const refused = await others.at(-1)!.nextLine();
    slow.release();

    expect(refused).toBe(refusal('256 requests are being worked on already'));
    expect(await others[0]!.nextLine()).toContain('"host-name"');
  });
});

describe('a file system that would not thaw', () => {
  const lost = async (times: number) => {
    const guest = freezingGuest();
    await guest.controller.freeze(['/boot']);
    const fault = guest.machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times });
    await guest.machine.freezing.endSessions('holder-lost', 'killed');
    await settled();
    return { ...guest, fault };
  };

  it('is frozen for the status, and tried again by itself until it thaws', async () => {
    const { controller, machine, frozen, store, log, fault } = await lost(Infinity);
    const before = { status: controller.status, gate: controller.isFrozen, marker: store.marker !== undefined };

    await machine.clock.advance(20_000);
    const meanwhile = controller.status;
    fault.remove();
    await machine.clock.advance(60_000);

    expect(before).toEqual({ status: 'frozen', gate: false, marker: true });
    expect(meanwhile).toBe('frozen');
    expect({ frozen: frozen(), status: controller.status, marker: store.marker, timers: machine.clock.waitingTimers })
      .toEqual({ frozen: [], status: 'thawed', marker: undefined, timers: 0 });
    expect(log.texts('warning')).toContain('what would not thaw is thawed: /boot');
  });

  it('is tried no more once it is thawed, even by a timer that fires although it was cancelled', async () => {
    const { machine, startAgent, frozen } = freezingGuest();
    const { clock } = machine.backend;
    const agent = startAgent({
      clock: {
        now: () => clock.now(), monotonic: () => clock.monotonic(),
        after: (ms, callback) => (clock.after(ms, callback), { cancel: () => undefined }),
      },
    });
    await agent.freeze(['/boot']);
    machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: 3 });
    await expect(agent.thaw()).rejects.toThrow('failed to thaw /boot');
    await agent.thaw();
    await agent.freeze(['/data']);

    await machine.clock.advance(100_000);

    expect(frozen()).toEqual(['/data']);
  });

  it('is thawed by a thaw, which counts it, and is tried no more', async () => {
    const { controller, machine, frozen, fault } = await lost(Infinity);
    fault.remove();

    expect(await controller.thaw()).toBe(1);
    expect({ frozen: frozen(), status: controller.status, timers: machine.clock.waitingTimers }).toEqual({ frozen: [], status: 'thawed', timers: 0 });
  });

  it('is tried no more by an agent that has begun something else', async () => {
    const { controller, machine, frozen, fault } = await lost(Infinity);
    fault.remove();
    const hanging = machine.faults.inject({ port: 'hooks', method: 'list', hang: true });
    const thawing = controller.thaw();
    await machine.clock.advance(5_000);
    hanging.release();

    await thawing;

    expect(frozen()).toEqual([]);
  });

  /** A guest whose /boot cannot be reached any more: unmounted while it was frozen. */
  const unmounted = async () => {
    const guest = freezingGuest();
    const { freezing } = guest.machine.backend.fileSystem ?? {};
    let gone = false;
    const listed = freezing!;
    const agent = guest.startAgent({
      freezing: {
        begin: (what) => listed.begin(what),
        recover: (marker) => listed.recover(marker),
        survey: async () => (await listed.survey()).filter(({ mountPoints }) => !gone || mountPoints[0] !== '/boot'),
        thawEverything: (only, except) => listed.thawEverything(only, only === undefined && gone ? new Set([...(except ?? []), bootId]) : except),
      } satisfies Freezing,
    });
    const bootId = (await listed.survey()).find(({ mountPoints }) => mountPoints[0] === '/boot')?.id ?? '';
    await agent.freeze(['/boot']);
    gone = true;
    const fault = guest.machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'ENOENT', times: Infinity });
    await expect(agent.thaw()).rejects.toThrow('failed to thaw /boot: No such file or directory');
    return { ...guest, agent, fault };
  };

  it('and is mounted nowhere any more stays in status, marker, log and every thaw’s error', async () => {
    const { agent, store, log } = await unmounted();

    await expect(agent.thaw()).rejects.toThrow('failed to thaw /boot');

    expect({ status: agent.status, marked: store.marker?.targets.map(({ mountPoint }) => mountPoint) }).toEqual({ status: 'frozen', marked: ['/boot'] });
    expect(log.texts('error')).toContain('failed to thaw /boot: No such file or directory');
  });

  it('and is mounted nowhere any more hinders no freeze of others, whose marker lists it too', async () => {
    const { agent, store, fault } = await unmounted();

    const count = await agent.freeze(['/data']);
    const marked = store.marker?.targets.map(({ mountPoint }) => mountPoint);
    const thaw = expect(agent.thaw()).rejects.toThrow('failed to thaw /boot');
    await thaw;
    const { status } = agent;
    fault.remove();

    expect({ count, marked, status }).toEqual({ count: 1, marked: ['/data', '/boot'], status: 'frozen' });
    expect(await agent.thaw()).toBe(1);
    expect(store.marker).toBeUndefined();
  });

  it('and is mounted nowhere any more survives a freeze that fails, and one that its holder ends', async () => {
    const { agent, machine, store } = await unmounted();
    machine.faults.inject({ port: 'kernel', method: 'fifreeze', on: '/data', error: 'EIO' });

    await expect(agent.freeze(['/data'])).rejects.toThrow('failed to freeze /data');
    const afterFailure = { status: agent.status, marker: store.marker !== undefined };
    await agent.freeze(['/data']);
    await machine.freezing.endSessions('elsewhere', 'by hand');
    await settled();

    expect(afterFailure).toEqual({ status: 'frozen', marker: true });
    expect({ status: agent.status, marker: store.marker !== undefined }).toEqual({ status: 'frozen', marker: true });
  });

  it('of a lost holder is carried on beside what remained before', async () => {
    const { agent, machine, store, fault } = await unmounted();
    await agent.freeze(['/data']);
    const other = machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/data', error: 'EIO', times: Infinity });

    await machine.freezing.endSessions('holder-lost', 'killed');
    await settled();
    const before = { status: agent.status, marker: store.marker !== undefined };
    fault.remove();
    other.remove();

    expect(before).toEqual({ status: 'frozen', marker: true });
    expect(await agent.thaw()).toBe(2);
  });
});

describe('a suspended device', () => {
  const suspended = (guest: ReturnType<typeof freezingGuest>) => {
    const freezing = guest.machine.backend.fileSystem!.freezing!;
    return guest.startAgent({
      freezing: {
        begin: (what) => freezing.begin(what),
        recover: (marker) => freezing.recover(marker),
        survey: async () => (await freezing.survey()).map((one) =>
          (one.mountPoints[0] === '/data' ? { ...one, suspended: 'dm-0 (vg-data), on which it lies, is suspended' } : one)),
        thawEverything: async (only, except) => (await freezing.thawEverything(only, except)).map((one) =>
          (one.mountPoint === '/data' ? { id: one.id, mountPoint: '/data', thawed: false, leftOut: '/data is not thawed: dm-0 (vg-data) is suspended' } : one)),
      },
    });
  };

  it('is a sentence for the freeze that would hang on it, and nothing to one that leaves it out', async () => {
    const guest = freezingGuest();
    const agent = suspended(guest);

    await expect(agent.freeze()).rejects.toThrow('failed to freeze /data: dm-0 (vg-data), on which it lies, is suspended');
    expect(guest.frozen()).toEqual([]);
    expect(await agent.freeze(['/boot'])).toBe(1);
    await agent.thaw();
    expect(agent.report()['left-out'].at(-1)).toMatchObject({ mountpoint: '/data', reason: 'suspended' });
  });

  it('is left out by a thaw with a warning that names it, and is no error', async () => {
    const guest = freezingGuest();

    expect(await suspended(guest).thaw()).toBe(0);
    expect(guest.log.texts('warning')).toContain('/data is not thawed: dm-0 (vg-data) is suspended');
  });
});

it('a thaw asks no file system again that its session has just thawed', async () => {
  const { machine, startAgent } = freezingGuest();
  const freezing = machine.backend.fileSystem!.freezing!;
  const asked: (readonly string[])[] = [];
  const controller = startAgent({
    freezing: {
      begin: (what) => freezing.begin(what),
      recover: (marker) => freezing.recover(marker),
      survey: () => freezing.survey(),
      thawEverything: async (only, except) => {
        const outcomes = await freezing.thawEverything(only, except);
        asked.push(outcomes.map(({ mountPoint }) => mountPoint));
        return outcomes;
      },
    },
  });
  await controller.freeze(['/boot']);

  await controller.thaw();

  expect(asked).toEqual([['/', '/data', '/mnt/backup']]);
});

it('a thaw counts what a backend without a clock says is thawed', async () => {
  const { machine, startAgent } = freezingGuest();
  const freezing = machine.backend.fileSystem!.freezing!;
  await machine.fileSystems.get('/boot').freeze();
  const controller = startAgent({
    freezing: {
      begin: (what) => freezing.begin(what),
      recover: (marker) => freezing.recover(marker),
      survey: () => freezing.survey(),
      thawEverything: async () => (await freezing.thawEverything()).map(({ id, mountPoint, thawed }) => ({ id, mountPoint, thawed })),
    },
  });

  expect(await controller.thaw()).toBe(1);
});
