// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { settled } from '../../../adapters/fake/clock.ts';
import { AgentError } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import { freezingGuest } from './freezing-guest.ts';

const everything = ['/', '/boot', '/data', '/mnt/backup'];

describe('a freeze and its thaw', () => {
  it('freezes every file system, says so and thaws them again', async () => {
    const { controller, frozen } = freezingGuest();

    const count = await controller.freeze();
    const during = { status: controller.status, frozen: frozen().toSorted() };
    const thawed = await controller.thaw();

    expect(count).toBe(4);
    expect(during).toEqual({ status: 'frozen', frozen: everything });
    expect(thawed).toBe(4);
    expect(controller.status).toBe('thawed');
    expect(frozen()).toEqual([]);
  });

  it('has the marker written before anything is frozen and removed when nothing is any more', async () => {
    const { controller, store, machine } = freezingGuest();
    const slow = machine.faults.inject({ port: 'kernel', method: 'fifreeze', hang: true, times: Infinity });

    const freezing = controller.freeze();
    await settled();
    const before = { marker: store.marker, hanging: slow.hanging };
    slow.release();
    await freezing;
    await controller.thaw();

    expect(before.hanging).toBeGreaterThan(0);
    expect(before.marker?.targets.map(({ mountPoint }) => mountPoint).toSorted()).toEqual(everything);
    expect(before.marker?.deadlineAt).toBeGreaterThan(0n);
    expect(store.marker).toBeUndefined();
  });

  it('says nothing that could reach a disk from before the first freeze to after the last thaw', async () => {
    const { controller, log, machine } = freezingGuest();
    const slow = machine.faults.inject({ port: 'kernel', method: 'syncfs', hang: true, times: Infinity });

    const freezing = controller.freeze();
    await settled();
    const beforeFlush = log.holding;
    slow.release();
    await freezing;
    const whileFrozen = log.holding;
    await controller.thaw();

    expect({ beforeFlush, whileFrozen, after: log.holding }).toEqual({ beforeFlush: true, whileFrozen: true, after: false });
    expect(log.lines.find(({ text }) => text.startsWith('4 file systems are frozen'))?.held).toBe(true);
    expect(log.lines.find(({ text }) => text.startsWith('file systems are thawed'))?.held).toBe(false);
  });

  it('is not called frozen by its status before all of it is', async () => {
    const { controller, machine, frozen } = freezingGuest();
    const slow = machine.faults.inject({ port: 'kernel', method: 'fifreeze', on: '/data', hang: true });

    const freezing = controller.freeze();
    await settled();
    const during = { status: controller.status, gate: controller.isFrozen, some: frozen().length };
    slow.release();
    await freezing;

    expect(during).toEqual({ status: 'thawed', gate: true, some: 3 });
    expect(controller.status).toBe('frozen');
  });

  it('refuses another freeze while one is on or under way', async () => {
    const { controller } = freezingGuest();
    const refusal = 'Command guest-fsfreeze-freeze has been disabled: the command is not allowed';

    const first = controller.freeze();
    const second = controller.freeze();

    await expect(second).rejects.toThrow(refusal);
    expect(await first).toBe(4);
    await expect(controller.freeze()).rejects.toThrow(refusal);
    await expect(controller.freeze()).rejects.toSatisfy((error) => AgentError.is(error) && error.kind === 'command-not-found');
  });

  it('lets a thaw wait for the freeze that is under way and then thaws it', async () => {
    const { controller, frozen } = freezingGuest();

    const freezing = controller.freeze();
    const thawing = controller.thaw();

    expect(await freezing).toBe(4);
    expect(await thawing).toBe(4);
    expect(frozen()).toEqual([]);
    expect(controller.isFrozen).toBe(false);
  });

  it('answers two thaws at once, the second with nothing left to thaw', async () => {
    const { controller } = freezingGuest();
    await controller.freeze();

    const counts = await Promise.all([controller.thaw(), controller.thaw()]);

    expect(counts).toEqual([4, 0]);
  });

  it('can be frozen again and again', async () => {
    const { controller, frozen } = freezingGuest();
    const counts: number[] = [];

    for (let cycle = 0; cycle < 50; cycle += 1) counts.push(await controller.freeze(), await controller.thaw());

    expect(new Set(counts)).toEqual(new Set([4]));
    expect(frozen()).toEqual([]);
  });

  it('plans without touching anything', async () => {
    const { controller, machine, frozen } = freezingGuest();

    const plan = await controller.plan();

    expect(plan.levels.map((level) => level.map(({ mountPoints }) => mountPoints[0]))).toEqual([['/mnt/backup', '/boot', '/'], ['/data']]);
    expect(machine.faults.calls).toEqual(['fileSystem.freezing.survey']);
    expect(frozen()).toEqual([]);
  });
});

describe('what is counted', () => {
  it('answers 0 and stays thawed for an empty list', async () => {
    const { controller, store } = freezingGuest();

    expect(await controller.freeze([])).toBe(0);
    expect(controller.isFrozen).toBe(false);
    expect(store.marker).toBeUndefined();
  });

  it('names every mount point of a list at which nothing is mounted, and freezes nothing', async () => {
    const { controller, frozen } = freezingGuest();

    await expect(controller.freeze(['/data', '/nope', '/nowhere/'])).rejects.toThrow('failed to freeze /nope, /nowhere/: no file system is mounted there');
    expect(frozen()).toEqual([]);
    expect(controller.isFrozen).toBe(false);
  });

  it.each([['error'], ['ignore']] as const)('refuses to freeze what other mounts cover when a host names it, with unknown ones an %s', async (unknownMountPoints) => {
    const { controller, frozen } = freezingGuest({
      settings: { unknownMountPoints },
      machine: { mounts: [
        { mountPoint: '/', id: '8:1', type: 'ext4', source: '/dev/sda1' },
        { mountPoint: '/x', id: '8:2', type: 'ext4', source: '/dev/sda2' },
        { mountPoint: '/x', id: '0:40', type: 'tmpfs', source: 'tmpfs', leftOut: 'pseudo' },
      ] },
    });

    await expect(controller.freeze(['/', '//x/'])).rejects.toThrow('failed to freeze //x/: the file system there is covered by another mount');
    expect(frozen()).toEqual([]);
    expect(await controller.freeze()).toBe(1);
  });

  it('warns and reports of a file system that the system turns out to have no freeze for, and counts the others', async () => {
    const { controller, log } = freezingGuest({
      machine: { mounts: [
        { mountPoint: '/', id: '8:1', type: 'ext4', source: '/dev/sda1' },
        { mountPoint: '/cluster', id: '8:2', type: 'newfs', source: '/dev/sda2', freezable: false },
      ] },
    });

    expect(await controller.freeze()).toBe(1);
    expect(log.texts('warning')).toEqual(['/cluster is not frozen: the system has no freeze for this file system']);
    expect(controller.report()).toMatchObject({
      filesystems: [{ mountpoint: '/cluster', result: 'unsupported' }, { mountpoint: '/', result: 'frozen' }],
      'left-out': [{ mountpoint: '/cluster', reason: 'not-freezable', detail: 'the system has no freeze for this file system' }],
    });
  });

  it('freezes by any spelling of a mount point', async () => {
    const { controller, frozen } = freezingGuest();

    expect(await controller.freeze(['//data/./'])).toBe(1);
    expect(frozen()).toEqual(['/data']);
  });

  it('passes over unknown mount points where it is told to, as the reference does', async () => {
    const { controller, frozen, log } = freezingGuest({ settings: { unknownMountPoints: 'ignore' } });

    expect(await controller.freeze(['/data', '/nope'])).toBe(1);
    expect(frozen()).toEqual(['/data']);
    expect(log.texts('warning')).toContain('failed to freeze /nope: no file system is mounted there');
  });

  it('neither counts nor fails on what somebody else has frozen, and thaws and counts it in the end', async () => {
    const { controller, machine } = freezingGuest();
    await machine.fileSystems.get('/boot').freeze();

    expect(await controller.freeze(['/boot', '/data'])).toBe(1);
    expect(await controller.thaw()).toBe(2);
  });

  it('answers 0 and stays thawed where everything is frozen by others', async () => {
    const { controller, machine } = freezingGuest();
    await machine.fileSystems.get('/boot').freeze();

    expect(await controller.freeze(['/boot'])).toBe(0);
    expect(controller.isFrozen).toBe(false);
    expect(await controller.thaw()).toBe(1);
  });

  it('thaws fewer than it froze where somebody else has thawed one', async () => {
    const { controller, machine } = freezingGuest();
    await controller.freeze();
    await machine.fileSystems.get('/boot').thaw();

    expect(await controller.thaw()).toBe(3);
  });

  it('leaves out what the configuration excludes, and reports it', async () => {
    const { controller, frozen } = freezingGuest({ settings: { excluded: ['/'] } });

    expect(await controller.freeze()).toBe(3);
    expect(frozen()).not.toContain('/');
    expect(controller.report()['left-out']).toContainEqual({ mountpoint: '/', reason: 'excluded', detail: '/ is excluded by configuration' });
  });
});

describe('a freeze that fails', () => {
  it('is undone: everything thawed, the marker gone, the log released, the next one free to try', async () => {
    const { controller, machine, frozen, store, log } = freezingGuest();
    machine.faults.inject({ port: 'kernel', method: 'fifreeze', on: '/data', error: 'EIO' });

    await expect(controller.freeze()).rejects.toThrow('failed to freeze /data: Input/output error');

    expect(frozen()).toEqual([]);
    expect(store.marker).toBeUndefined();
    expect(log.holding).toBe(false);
    expect(controller.report()).toMatchObject({ status: 'thawed', 'ended-by': 'failure', detail: 'failed to freeze /data: Input/output error' });
    expect(await controller.freeze()).toBe(4);
  });

  it('gives up on a file system that does not freeze in time and thaws it when it comes round', async () => {
    const { controller, machine, frozen } = freezingGuest({ settings: { withinMs: 2_000 } });
    const stuck = machine.faults.inject({ port: 'kernel', method: 'fifreeze', on: '/boot', hang: true });

    const freezing = controller.freeze();
    const failure = expect(freezing).rejects.toThrow('failed to freeze /boot');
    await settled();
    await machine.clock.advance(2_000);
    await failure;
    stuck.release();
    await settled();

    expect(frozen()).toEqual([]);
    expect(controller.isFrozen).toBe(false);
  });

  it('says which mount point cannot be opened, and hints at who forbids it to root', async () => {
    const { controller, machine, frozen, log } = freezingGuest();
    machine.faults.inject({ port: 'fileSystem.freezing', method: 'begin', error: posixError('EACCES', { path: '/data' }) });

    await expect(controller.freeze()).rejects.toThrow('failed to open /data: Permission denied');
    expect(frozen()).toEqual([]);
    expect(log.texts('error').join()).toContain('SELinux');
  });

  it('freezes nothing without a marker', async () => {
    const { controller, machine, frozen } = freezingGuest();
    machine.faults.inject({ port: 'stateStore', method: 'writeFreezeMarker', error: 'ENOSPC' });

    await expect(controller.freeze()).rejects.toThrow('No space left on device');
    expect(frozen()).toEqual([]);
    expect(machine.freezing.guardians).toEqual([]);
  });

  it('freezes nothing where the mounts cannot be listed', async () => {
    const { controller, machine } = freezingGuest({ hooks: [{ name: 'db' }] });
    machine.faults.inject({ port: 'fileSystem.freezing', method: 'survey', error: AgentError.failed('no list') });

    await expect(controller.freeze()).rejects.toThrow('no list');
    expect(controller.isFrozen).toBe(false);
  });

  it('that lasts beyond its deadline is told as failed, for nothing of it is frozen any more', async () => {
    const { controller, machine, frozen, store } = freezingGuest({ settings: { deadlineMs: 5_000 } });
    const slow = machine.faults.inject({ port: 'kernel', method: 'fifreeze', on: '/data', hang: true });

    const freezing = controller.freeze();
    const failure = expect(freezing).rejects.toThrow('the deadline of the freeze (freeze-timeout) came before everything was frozen');
    await machine.clock.advance(6_000);
    slow.release();
    await failure;

    expect(frozen()).toEqual([]);
    expect(store.marker).toBeUndefined();
    expect(controller.report()).toMatchObject({ status: 'thawed', 'ended-by': 'failure' });
    expect(await controller.freeze()).toBe(4);
  });

  it('says what went wrong where the backend has no word of its own for it', async () => {
    const { controller, machine, log } = freezingGuest();
    machine.faults.inject({ port: 'fileSystem.freezing', method: 'begin', error: new Error('no more sessions') });
    await expect(controller.freeze()).rejects.toThrow('failed to prepare the freeze: no more sessions');

    machine.faults.inject({ port: 'fileSystem.freezing', method: 'begin', error: 'EACCES' });
    await expect(controller.freeze()).rejects.toThrow('failed to prepare the freeze: Permission denied');

    expect(log.texts('error').join()).toContain('opening a mount point was forbidden');
  });

  it('tries without the session what the session failed to thaw', async () => {
    const { controller, machine, frozen } = freezingGuest();
    machine.faults.inject({ port: 'kernel', method: 'fifreeze', on: '/data', error: 'EIO' });
    machine.faults.inject({ port: 'fileSystem.freezing.session', method: 'thaw', error: 'EPIPE' });

    await expect(controller.freeze()).rejects.toThrow('failed to freeze /data');

    expect(frozen()).toEqual([]);
  });
});

describe('hooks', () => {
  const hooks = [{ name: 'a' }, { name: 'b' }, { name: 'c' }];

  it('run in order before anything is frozen and in reverse after everything is thawed', async () => {
    const { controller, machine, hookRuns } = freezingGuest({ hooks });

    await controller.freeze();
    await controller.thaw();

    expect(hookRuns()).toEqual(['a freeze', 'b freeze', 'c freeze', 'c thaw', 'b thaw', 'a thaw']);
    expect(machine.hooks.runs.flatMap(({ frozen }) => frozen)).toEqual([]);
  });

  it('veto a freeze; those that ran are told of the failure and then get their thaw', async () => {
    const { controller, frozen, hookRuns } = freezingGuest({
      hooks: [{ name: 'a' }, { name: 'b', phases: { freeze: { ok: false, output: 'busy' } } }, { name: 'c' }],
    });

    await expect(controller.freeze()).rejects.toThrow('child process has failed to execute fsfreeze hook: busy');

    expect(frozen()).toEqual([]);
    expect(hookRuns()).toEqual(['a freeze', 'b freeze', 'b freezefail', 'a freezefail', 'b thaw', 'a thaw']);
  });

  it('that may not veto only have their failure reported', async () => {
    const { controller } = freezingGuest({ hooks: [{ name: 'a', canVeto: false, phases: { freeze: { ok: false, output: 'never mind' } } }] });

    expect(await controller.freeze()).toBe(4);
    expect(controller.report().hooks).toMatchObject([{ name: 'a', phase: 'freeze', ok: false, output: 'never mind' }]);
  });

  it('that must not run veto the freeze before any other has run', async () => {
    const { controller, hookRuns } = freezingGuest({ hooks: [{ name: 'a' }, { name: 'b', refused: 'b can be written by everybody' }] });

    await expect(controller.freeze()).rejects.toThrow('fsfreeze hook b must not run: b can be written by everybody');
    expect(hookRuns()).toEqual([]);
  });

  it('get their thaw when nothing was frozen', async () => {
    const { controller, hookRuns } = freezingGuest({ hooks });

    expect(await controller.freeze([])).toBe(0);
    expect(hookRuns()).toEqual(['a freeze', 'b freeze', 'c freeze', 'c thaw', 'b thaw', 'a thaw']);
  });

  it('get their thaw and word of the failure when a file system fails', async () => {
    const { controller, machine, hookRuns } = freezingGuest({ hooks: [{ name: 'a' }] });
    machine.faults.inject({ port: 'kernel', method: 'fifreeze', on: '/boot', error: 'EIO' });

    await expect(controller.freeze()).rejects.toThrow('/boot');
    expect(hookRuns()).toEqual(['a freeze', 'a freezefail', 'a thaw']);
    expect(machine.hooks.runs.flatMap(({ frozen }) => frozen)).toEqual([]);
  });

  it('that fail on the thaw of a freeze that froze nothing are the answer', async () => {
    const { controller, hookRuns } = freezingGuest({ hooks: [{ name: 'a', phases: { thaw: { ok: false, output: 'oops' } } }] });

    await expect(controller.freeze([])).rejects.toThrow('child process has failed to execute fsfreeze hook: oops');

    expect(hookRuns()).toEqual(['a freeze', 'a thaw']);
    expect(controller.isFrozen).toBe(false);
  });

  it('are missed by nobody on a machine that has none', async () => {
    const { startAgent, frozen } = freezingGuest();
    const controller = startAgent({ hooks: undefined });

    expect([await controller.freeze(), await controller.thaw()]).toEqual([4, 4]);
    expect(frozen()).toEqual([]);
  });

  it('run for a thaw without a freeze', async () => {
    const { controller, hookRuns } = freezingGuest({ hooks });

    expect(await controller.thaw()).toBe(0);
    expect(hookRuns()).toEqual(['c thaw', 'b thaw', 'a thaw']);
  });

  it('that fail on thaw are the answer, with everything thawed and every other hook run', async () => {
    const { controller, frozen, hookRuns } = freezingGuest({
      hooks: [{ name: 'a' }, { name: 'b', phases: { thaw: { ok: false, output: 'oops' } } }],
    });
    await controller.freeze();

    await expect(controller.thaw()).rejects.toThrow('child process has failed to execute fsfreeze hook: oops');

    expect(frozen()).toEqual([]);
    expect(controller.isFrozen).toBe(false);
    expect(hookRuns().slice(2)).toEqual(['b thaw', 'a thaw']);
  });

  it('that cannot be listed after a thaw are an error of a guest that is thawed', async () => {
    const { controller, machine } = freezingGuest({ hooks });
    machine.faults.inject({ port: 'hooks', method: 'list', error: 'EIO' });

    await expect(controller.thaw()).rejects.toThrow('failed to list the fsfreeze hooks: Input/output error');
    expect(controller.isFrozen).toBe(false);
  });

  it('keep other commands away while they run, but the status says thawed', async () => {
    const { controller, machine } = freezingGuest({ hooks: [{ name: 'a', phases: { freeze: { takesMs: 1_000 } } }] });

    const freezing = controller.freeze();
    await settled();
    const during = { gate: controller.isFrozen, status: controller.status };
    await machine.clock.advance(1_000);
    await freezing;

    expect(during).toEqual({ gate: true, status: 'thawed' });
  });
});

describe('the deadline', () => {
  it('thaws without being asked, runs the hooks, says so, and leaves nothing for a thaw to count', async () => {
    const { controller, machine, frozen, hookRuns, log, store } = freezingGuest({ settings: { deadlineMs: 5_000 }, hooks: [{ name: 'a' }] });
    await controller.freeze();

    await machine.clock.advance(5_000);

    expect(frozen()).toEqual([]);
    expect({ status: controller.status, gate: controller.isFrozen, holding: log.holding }).toEqual({ status: 'thawed', gate: false, holding: false });
    expect(hookRuns()).toEqual(['a freeze', 'a thaw']);
    expect(store.marker).toBeUndefined();
    expect(controller.report()).toMatchObject({ 'ended-by': 'deadline' });
    expect(log.texts('warning').join()).toContain('without a thaw command');
    expect(await controller.thaw()).toBe(0);
  });

  it('does not come for a freeze that was thawed, nor for the next one too early', async () => {
    const { controller, machine, frozen } = freezingGuest({ settings: { deadlineMs: 5_000 } });
    await controller.freeze();
    await machine.clock.advance(4_000);
    await controller.thaw();
    await controller.freeze();

    await machine.clock.advance(4_000);

    expect(frozen()).toHaveLength(4);
    expect(machine.clock.waitingTimers).toBe(2);
  });

  it('never comes where there is none', async () => {
    const { controller, machine } = freezingGuest({ settings: { deadlineMs: 0 } });
    await controller.freeze();

    await machine.clock.advance(365 * 86_400_000);

    expect(controller.status).toBe('frozen');
    expect(machine.clock.waitingTimers).toBe(0);
  });

  it('that passed counts for the status although its news have not been heard', async () => {
    const { controller, machine } = freezingGuest({ settings: { deadlineMs: 5_000 } });
    await controller.freeze();
    const advancing = machine.clock.advance(5_000);
    while (machine.clock.monotonic() < 5_000_000_000n) await new Promise((resolve) => setImmediate(resolve));

    const { status } = controller;
    await advancing;

    expect(status).toBe('thawed');
  });

  /** The guardian of this one knows no deadline. */
  const mute = () => {
    const guest = freezingGuest({ settings: { deadlineMs: 5_000 } });
    const freezing = guest.machine.backend.fileSystem!.freezing!;
    return {
      ...guest,
      controller: guest.startAgent({
        freezing: { ...wrapped(freezing), begin: (request) => freezing.begin({ ...request, deadlineMs: 0 }) },
      }),
    };
  };

  it('is seen to by the agent where the guardian is silent', async () => {
    const { controller, machine, frozen, log } = mute();
    await controller.freeze();

    await machine.clock.advance(11_000);

    expect(frozen()).toEqual([]);
    expect(controller.isFrozen).toBe(false);
    expect(controller.report()).toMatchObject({ 'ended-by': 'deadline' });
    expect(log.texts('error')).toContain('the deadline of the freeze passed without a word from its guardian: the agent thaws');
  });

  it('makes the status thawed at its time although the guardian is silent, and keeps other commands away until all is thawed', async () => {
    const { controller, machine, frozen } = mute();
    await controller.freeze();

    await machine.clock.advance(5_000);

    expect({ status: controller.status, gate: controller.isFrozen, frozen: frozen().length }).toEqual({ status: 'thawed', gate: true, frozen: 4 });
  });

  it('at which nothing can be thawed is told in the log, and a thaw may be tried again', async () => {
    const { controller, machine, frozen, log } = mute();
    await controller.freeze(['/boot']);
    machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: 3 });

    await machine.clock.advance(11_000);

    expect(log.texts('error')).toContain('failed to thaw /boot: Input/output error');
    expect(await controller.thaw()).toBe(1);
    expect(frozen()).toEqual([]);
  });

  it('of a freeze that was thawed touches no later one, even by a timer that fires although it was cancelled', async () => {
    const { machine, startAgent, frozen } = freezingGuest({ settings: { deadlineMs: 5_000 } });
    const { clock } = machine.backend;
    const controller = startAgent({
      clock: {
        now: () => clock.now(),
        monotonic: () => clock.monotonic(),
        after: (ms, callback) => (clock.after(ms, callback), { cancel: () => undefined }),
      },
    });
    await controller.freeze();
    await machine.clock.advance(4_000);
    await controller.thaw();
    await machine.clock.advance(4_000);
    await controller.freeze();

    await machine.clock.advance(3_000);

    expect(frozen()).toHaveLength(4);
  });
});

const wrapped = (freezing: NonNullable<NonNullable<ReturnType<typeof freezingGuest>['machine']['backend']['fileSystem']>['freezing']>) => ({
  survey: () => freezing.survey(),
  begin: freezing.begin.bind(freezing),
  recover: freezing.recover.bind(freezing),
  thawEverything: freezing.thawEverything.bind(freezing),
});

describe('a thaw', () => {
  it('reaches what a lost guardian held', async () => {
    const { controller, machine, frozen } = freezingGuest();
    await controller.freeze();

    await machine.freezing.endSessions('holder-lost', 'the guardian was killed');
    await settled();

    expect(frozen()).toEqual([]);
    expect(controller.report()).toMatchObject({ 'ended-by': 'holder-lost', status: 'thawed' });
  });

  it('is noticed when somebody else did it through the guardian', async () => {
    const { controller, machine } = freezingGuest();
    await controller.freeze();

    await machine.freezing.endSessions('elsewhere', 'concierge-ga thaw');
    await settled();

    expect(controller.isFrozen).toBe(false);
    expect(await controller.thaw()).toBe(0);
  });

  it('names a file system that would not thaw, keeps the marker, and can be repeated', async () => {
    const { controller, machine, frozen, store } = freezingGuest();
    await controller.freeze(['/boot']);
    machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: 3 });

    await expect(controller.thaw()).rejects.toThrow('failed to thaw /boot');
    const after = { frozen: frozen(), marker: store.marker !== undefined, gate: controller.isFrozen };
    const again = await controller.thaw();

    expect(after).toEqual({ frozen: ['/boot'], marker: true, gate: false });
    expect(again).toBe(1);
    expect(store.marker).toBeUndefined();
  });

  it('fails again, and keeps the marker, as long as that file system would not thaw', async () => {
    const { controller, machine, store } = freezingGuest();
    await controller.freeze(['/boot']);
    machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: Infinity });

    await expect(controller.thaw()).rejects.toThrow('failed to thaw /boot');
    await expect(controller.thaw()).rejects.toThrow('failed to thaw /boot');

    expect(store.marker?.targets.map(({ mountPoint }) => mountPoint)).toEqual(['/boot']);
  });

  it('is no error where the last try, of everything that is mounted, thaws it', async () => {
    const { controller, machine, frozen, store } = freezingGuest();
    await controller.freeze(['/boot']);
    machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: 2 });

    const thawed = await controller.thaw();

    expect({ thawed, frozen: frozen(), marker: store.marker }).toEqual({ thawed: 1, frozen: [], marker: undefined });
  });

  it('that failed is tried again when the agent ends', async () => {
    const { controller, machine, frozen, store } = freezingGuest();
    await controller.freeze(['/boot']);
    const stuck = machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: Infinity });
    await expect(controller.thaw()).rejects.toThrow('failed to thaw /boot');
    stuck.remove();

    await controller.thawBeforeExit();

    expect({ frozen: frozen(), marker: store.marker }).toEqual({ frozen: [], marker: undefined });
  });

  it('that failed hinders no freeze where the file system is mounted no more', async () => {
    const { controller, machine, startAgent, frozen } = freezingGuest();
    const { freezing } = machine.backend.fileSystem ?? {};
    let unmounted = false;
    const agent = startAgent({
      freezing: {
        begin: (request) => freezing!.begin(request),
        recover: (marker) => freezing!.recover(marker),
        survey: async () => (await freezing!.survey()).filter(({ mountPoints }) => !unmounted || mountPoints[0] !== '/boot'),
        thawEverything: async (only) => freezing!.thawEverything(only),
      },
    });
    await agent.freeze(['/boot']);
    machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'ENOENT', times: Infinity });
    await expect(agent.thaw()).rejects.toThrow('failed to thaw /boot');

    unmounted = true;

    expect(await agent.freeze(['/data'])).toBe(1);
    expect(frozen()).toContain('/data');
    expect(controller.isFrozen).toBe(false);
  });

  it('that failed refuses the next freeze, too, while the mounts cannot be listed', async () => {
    const { controller, machine } = freezingGuest();
    await controller.freeze(['/boot']);
    machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: Infinity });
    await expect(controller.thaw()).rejects.toThrow('failed to thaw /boot');
    machine.faults.inject({ port: 'fileSystem.freezing', method: 'survey', error: AgentError.failed('no list') });

    await expect(controller.freeze(['/data'])).rejects.toThrow('failed to thaw /boot');
  });

  it('that failed is made up for before the next freeze, which is refused while it cannot be', async () => {
    const { controller, machine, frozen, store } = freezingGuest();
    await controller.freeze(['/boot']);
    const stuck = machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: Infinity });
    await expect(controller.thaw()).rejects.toThrow('failed to thaw /boot');

    await expect(controller.freeze(['/data'])).rejects.toThrow('failed to thaw /boot');
    const refused = { frozen: frozen(), marked: store.marker?.targets.map(({ mountPoint }) => mountPoint), gate: controller.isFrozen };
    stuck.remove();
    const count = await controller.freeze(['/data']);
    const afterwards = frozen();
    await controller.thaw();

    expect(refused).toEqual({ frozen: ['/boot'], marked: ['/boot'], gate: false });
    expect(count).toBe(1);
    expect(afterwards).toEqual(['/data']);
    expect(store.marker).toBeUndefined();
  });

  it('goes on where the list of mounts cannot be read, with what this agent froze', async () => {
    const { controller, machine, frozen } = freezingGuest();
    await controller.freeze();
    machine.faults.inject({ port: 'fileSystem.freezing', method: 'thawEverything', error: AgentError.failed('no list') });

    expect(await controller.thaw()).toBe(4);
    expect(frozen()).toEqual([]);
  });

  it('is an error without a freeze where the list of mounts cannot be read', async () => {
    const { controller, machine } = freezingGuest();
    machine.faults.inject({ port: 'fileSystem.freezing', method: 'thawEverything', error: AgentError.failed('no list') });

    await expect(controller.thaw()).rejects.toThrow('no list');
    expect(controller.isFrozen).toBe(false);
  });

  it('that comes while the deadline thaws counts only what was thawed after it was asked for', async () => {
    const { controller, machine, log } = freezingGuest({ settings: { deadlineMs: 5_000 } });
    await controller.freeze();
    const slow = machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', hang: true });
    await machine.clock.advance(5_500);

    const thawing = controller.thaw();
    await settled();
    slow.release();

    expect(await thawing).toBe(1);
    expect(controller.report()).toMatchObject({ status: 'thawed', 'ended-by': 'deadline' });
    expect(log.texts('warning').filter((line) => line.includes('without a thaw command'))).toHaveLength(1);
  });

  it('waits no longer than a second for the word of a holder that thawed before and does not say so', async () => {
    const { machine, startAgent, frozen } = freezingGuest({ settings: { deadlineMs: 5_000 } });
    const freezing = machine.backend.fileSystem!.freezing!;
    const controller = startAgent({
      freezing: {
        ...wrapped(freezing),
        begin: async (request) => {
          const session = await freezing.begin(request);
          return { recoveryData: {}, flush: () => session.flush(), freeze: () => session.freeze(), thaw: () => session.thaw(), ended: new Promise(() => {}) };
        },
      },
    });
    await controller.freeze();
    await machine.clock.advance(6_000);

    const thawing = controller.thaw();
    await machine.clock.advance(1_000);

    expect(await thawing).toBe(0);
    expect(controller.report()).toMatchObject({ 'ended-by': 'thaw' });
    expect(frozen()).toEqual([]);
    expect(machine.clock.waitingTimers).toBe(0);
  });

  it('comes by itself where the holder breaks its word and fails instead of telling its end', async () => {
    const { machine, startAgent, frozen, log } = freezingGuest();
    const freezing = machine.backend.fileSystem!.freezing!;
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const controller = startAgent({
      freezing: {
        ...wrapped(freezing),
        begin: async (request) => {
          const session = await freezing.begin(request);
          return { recoveryData: {}, flush: () => session.flush(), freeze: () => session.freeze(), thaw: () => session.thaw(), ended };
        },
      },
    });
    await controller.freeze();

    reject(new Error('the pipe is gone'));
    await settled();

    expect(frozen()).toEqual([]);
    expect(controller.isFrozen).toBe(false);
    expect(controller.report()).toMatchObject({ 'ended-by': 'holder-lost', detail: 'the holder of the freeze is lost: the pipe is gone' });
    expect(log.texts('warning').join()).toContain('without a thaw command');
  });

  it('is not stopped by a marker that cannot be removed', async () => {
    const { controller, machine, log } = freezingGuest();
    await controller.freeze();
    machine.faults.inject({ port: 'stateStore', method: 'removeFreezeMarker', error: 'EROFS' });

    expect(await controller.thaw()).toBe(4);
    expect(log.texts('warning')).toContain('Read-only file system');
  });
});

describe('the end of the agent', () => {
  it('thaws first', async () => {
    const { controller, frozen, hookRuns, store } = freezingGuest({ hooks: [{ name: 'a' }] });
    await controller.freeze();

    await controller.thawBeforeExit();

    expect(frozen()).toEqual([]);
    expect(hookRuns()).toEqual(['a freeze', 'a thaw']);
    expect(store.marker).toBeUndefined();
  });

  it('runs no hook and touches nothing where nothing is frozen', async () => {
    const { controller, hookRuns, machine } = freezingGuest({ hooks: [{ name: 'a' }] });

    await controller.thawBeforeExit();

    expect(hookRuns()).toEqual([]);
    expect(machine.faults.calls).toEqual([]);
  });

  it('calls off a freeze that is under way', async () => {
    const { controller, machine, frozen } = freezingGuest();
    const slow = machine.faults.inject({ port: 'kernel', method: 'syncfs', hang: true, times: Infinity });

    const freezing = controller.freeze();
    const refused = expect(freezing).rejects.toThrow('called off');
    await settled();
    const ending = controller.thawBeforeExit();
    slow.release();
    await Promise.all([refused, ending]);

    expect(frozen()).toEqual([]);
    await expect(controller.freeze()).rejects.toThrow('disabled');
  });

  it('waits until a freeze that cannot be called off has undone itself', async () => {
    const { controller, machine, frozen, log } = freezingGuest();
    const slow = machine.faults.inject({ port: 'kernel', method: 'fifreeze', on: '/data', hang: true });
    machine.faults.inject({ port: 'fileSystem.freezing.session', method: 'thaw', error: 'EPIPE' });
    const freezing = controller.freeze();
    const refused = expect(freezing).rejects.toThrow('called off');
    await settled();

    const ending = controller.thawBeforeExit().then(() => frozen());
    await settled();
    slow.release();

    expect(await ending).toEqual([]);
    await refused;
    expect(log.texts('error')).toContain('failed to clean up frozen filesystems: Broken pipe');
  });

  it('is not held up by a thaw that fails', async () => {
    const { controller, log } = freezingGuest({ hooks: [{ name: 'a', phases: { thaw: { ok: false } } }] });
    await controller.freeze();

    await controller.thawBeforeExit();

    expect(log.texts('error').join()).toContain('failed to clean up frozen filesystems');
  });
});

describe('an agent that follows one that was killed', () => {
  /** Every place at which the one before can have died, as a call that never answers. */
  const places = [
    { port: 'hooks.hook', method: 'run' },
    { port: 'fileSystem.freezing', method: 'survey' },
    { port: 'fileSystem.freezing', method: 'begin' },
    { port: 'stateStore', method: 'writeFreezeMarker', skip: 1 },
    { port: 'kernel', method: 'syncfs' },
    { port: 'kernel', method: 'fifreeze', skip: 1 },
    { port: 'kernel', method: 'fifreeze', on: '/data' },
  ];

  it.each(places)('leaves nothing frozen after death at $port.$method, and runs the thaw hooks', async (place) => {
    const { controller, life, machine, startAgent, frozen, hookRuns, store } = freezingGuest({ hooks: [{ name: 'db' }] });
    const death = machine.faults.inject({ ...place, hang: true });
    void controller.freeze();
    await settled();
    const died = death.hanging;
    life.end();
    death.release();
    await settled();

    const next = startAgent();
    await next.recoverAtStart();
    const thawHookAtStart = hookRuns().includes('db thaw');
    const foundFrozen = next.isFrozen;
    await next.thaw();

    expect(died).toBe(1);
    expect(frozen()).toEqual([]);
    expect(next.isFrozen).toBe(false);
    expect(thawHookAtStart).toBe(!foundFrozen);
    expect(store.marker).toBeUndefined();
  });

  it.each(places)('that died at $port.$method is followed by `concierge-ga thaw` just as well', async (place) => {
    const { controller, life, machine, startAgent, frozen, hookRuns, store } = freezingGuest({ hooks: [{ name: 'db' }] });
    const death = machine.faults.inject({ ...place, hang: true });
    void controller.freeze();
    await settled();
    life.end();
    death.release();
    await settled();

    await startAgent().thawLeftBehind();

    expect(frozen()).toEqual([]);
    expect(hookRuns()).toContain('db thaw');
    expect(store.marker).toBeUndefined();
  });

  it('finishes a thaw in the middle of which its predecessor died', async () => {
    const { controller, life, machine, startAgent, frozen, store } = freezingGuest();
    await controller.freeze();
    const death = machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/data', hang: true });
    void controller.thaw();
    await settled();
    life.end();
    death.release();

    const next = startAgent();
    await next.recoverAtStart();
    await next.thaw();

    expect(frozen()).toEqual([]);
    expect(store.marker).toBeUndefined();
  });

  it('finds the freeze of its predecessor and thaws it on command', async () => {
    const { controller, startAgent, frozen, hookRuns, log, store } = freezingGuest({ hooks: [{ name: 'db' }] });
    await controller.freeze();

    const next = startAgent();
    await next.recoverAtStart();
    const found = { status: next.status, gate: next.isFrozen, holding: log.holding };
    const count = await next.thaw();

    expect(found).toEqual({ status: 'frozen', gate: true, holding: true });
    expect(count).toBe(4);
    expect(frozen()).toEqual([]);
    expect(hookRuns()).toContain('db thaw');
    expect(store.marker).toBeUndefined();
  });

  it('lives to see the deadline of its predecessor', async () => {
    const { controller, startAgent, machine, frozen } = freezingGuest({ settings: { deadlineMs: 5_000 } });
    await controller.freeze();
    const next = startAgent();
    await next.recoverAtStart();

    await machine.clock.advance(5_000);

    expect(frozen()).toEqual([]);
    expect(next.status).toBe('thawed');
    expect(next.report()).toMatchObject({ 'ended-by': 'deadline' });
  });

  it('thaws at once what nobody holds any more', async () => {
    const { controller, startAgent, machine, frozen, store, log } = freezingGuest({ hooks: [{ name: 'db' }] });
    await controller.freeze();
    const marker = store.marker;
    await machine.freezing.endSessions('elsewhere', '');
    await settled();
    for (const mountPoint of everything.toReversed()) await machine.fileSystems.get(mountPoint).freeze();
    store.marker = marker;

    const next = startAgent();
    await next.recoverAtStart();

    expect(frozen()).toEqual([]);
    expect(next.isFrozen).toBe(false);
    expect(store.marker).toBeUndefined();
    expect(log.texts('warning')).toContain('what an agent had left frozen is thawed: 4 file systems');
  });

  it('keeps what would not thaw at the start in mind: the next freeze has it thawed first', async () => {
    const { controller, startAgent, machine, frozen, store } = freezingGuest();
    await controller.freeze(['/boot']);
    const marker = store.marker;
    await machine.freezing.endSessions('elsewhere', '');
    await settled();
    await machine.fileSystems.get('/boot').freeze();
    store.marker = marker;
    const stuck = machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: Infinity });

    const next = startAgent();
    await next.recoverAtStart();
    await expect(next.freeze(['/data'])).rejects.toThrow('failed to thaw /boot');
    const kept = store.marker;
    stuck.remove();
    await next.freeze(['/data']);

    expect(kept).toEqual(marker);
    expect(frozen()).toEqual(['/data']);
  });

  it('sees to the deadline of an earlier agent’s freeze where its holder does not', async () => {
    const { startAgent, machine, frozen, deaf, newLife } = freezingGuest({ settings: { deadlineMs: 5_000 } });
    const life = newLife();
    await startAgent({ freezing: life.lead(deaf()) }, life).freeze();
    life.end();

    const next = startAgent({ freezing: deaf() });
    await next.recoverAtStart();
    const before = next.status;
    await machine.clock.advance(60_000);

    expect(before).toBe('frozen');
    expect(next.status).toBe('thawed');
    expect(frozen()).toEqual([]);
  });

  it('is over for its status at once where its deadline passed while no agent lived', async () => {
    const { startAgent, machine, deaf, newLife } = freezingGuest({ settings: { deadlineMs: 5_000 } });
    const life = newLife();
    await startAgent({ freezing: life.lead(deaf()) }, life).freeze();
    life.end();
    await machine.clock.advance(6_000);

    const next = startAgent({ freezing: deaf() });
    await next.recoverAtStart();

    expect([next.status, next.isFrozen]).toEqual(['thawed', true]);
  });

  it('has no deadline where the earlier agent’s had none', async () => {
    const { startAgent, machine, frozen, deaf, newLife } = freezingGuest({ settings: { deadlineMs: 0 } });
    const life = newLife();
    await startAgent({ freezing: life.lead(deaf()) }, life).freeze(['/boot']);
    life.end();

    const next = startAgent({ freezing: deaf() });
    await next.recoverAtStart();
    await machine.clock.advance(10_000_000);

    expect([next.status, frozen()]).toEqual(['frozen', ['/boot']]);
  });

  it('is no end of the agent where what qemu-ga left cannot be listed', async () => {
    const { startAgent, machine, store, log } = freezingGuest();
    store.marker = { bootId: store.currentBoot, targets: [], deadlineAt: 0n, recoveryData: {} };
    machine.faults.inject({ port: 'fileSystem.freezing', method: 'thawEverything', error: AgentError.failed('no list') });

    const next = startAgent();
    await next.recoverAtStart();

    expect(log.texts('error')).toContain('no list');
    expect(next.isFrozen).toBe(false);
  });

  it('does not take what was thawed for frozen because a hook failed', async () => {
    const { controller, startAgent, machine, frozen, store } = freezingGuest({ hooks: [{ name: 'db' }] });
    await controller.freeze(['/boot']);
    const marker = store.marker;
    await machine.freezing.endSessions('elsewhere', '');
    await settled();
    await machine.fileSystems.get('/boot').freeze();
    store.marker = marker;
    machine.faults.inject({ port: 'hooks', method: 'list', error: 'EIO' });
    const next = startAgent();
    await next.recoverAtStart();
    const recovered = frozen();

    await machine.fileSystems.get('/boot').freeze();
    await next.freeze(['/data']);

    expect(recovered).toEqual([]);
    expect(frozen().toSorted()).toEqual(['/boot', '/data']);
  });

  it('takes no notice of a marker of an earlier boot', async () => {
    const { controller, startAgent, store, hookRuns } = freezingGuest({ hooks: [{ name: 'db' }] });
    await controller.freeze();
    store.currentBoot = 'another';

    const next = startAgent();
    await next.recoverAtStart();

    expect(next.isFrozen).toBe(false);
    expect(hookRuns()).toEqual(['db freeze']);
  });

  it('thaws everything for a marker that says nothing, which is qemu-ga\'s', async () => {
    const { startAgent, machine, store, frozen } = freezingGuest();
    await machine.fileSystems.get('/boot').freeze();
    store.marker = { bootId: store.currentBoot, targets: [], deadlineAt: 0n, recoveryData: {} };

    await startAgent().recoverAtStart();

    expect(frozen()).toEqual([]);
  });

  it('starts although the thaw failed, and keeps the marker for another try', async () => {
    const { controller, startAgent, machine, store, log } = freezingGuest();
    await controller.freeze(['/boot']);
    machine.faults.inject({ port: 'fileSystem.freezing', method: 'recover', error: 'ECONNREFUSED', times: 2 });
    machine.faults.inject({ port: 'fileSystem.freezing', method: 'thawEverything', error: 'EIO' });

    const next = startAgent();
    await next.recoverAtStart();

    expect(log.texts('error')).toContain('failed to thaw: Input/output error');
    expect(store.marker).toBeDefined();
    expect(await next.thaw()).toBe(1);
  });
});

describe('concierge-ga thaw', () => {
  it('thaws what the marker lists and nothing else', async () => {
    const { controller, startAgent, machine, frozen } = freezingGuest();
    await controller.freeze(['/data', '/mnt/backup']);
    await machine.fileSystems.get('/boot').freeze();

    const count = await startAgent().thawLeftBehind();

    expect(count).toBe(2);
    expect(frozen()).toEqual(['/boot']);
  });

  it('tells of a hook that fails on thaw, with everything thawed and the marker gone', async () => {
    const { controller, startAgent, frozen, store } = freezingGuest({ hooks: [{ name: 'db', phases: { thaw: { ok: false, output: 'oops' } } }] });
    await controller.freeze();

    await expect(startAgent().thawLeftBehind()).rejects.toThrow('child process has failed to execute fsfreeze hook: oops');

    expect(frozen()).toEqual([]);
    expect(store.marker).toBeUndefined();
  });

  it('does nothing without a marker', async () => {
    const { startAgent, machine, hookRuns } = freezingGuest({ hooks: [{ name: 'db' }] });
    await machine.fileSystems.get('/boot').freeze();

    expect(await startAgent().thawLeftBehind()).toBe(0);
    expect(hookRuns()).toEqual([]);
    expect(machine.fileSystems.frozen).toEqual(['/boot']);
  });
});

describe('the report', () => {
  it('tells of each file system when it was frozen and thawed, and of each hook how it went', async () => {
    const { controller, machine } = freezingGuest({ hooks: [{ name: 'a', phases: { freeze: { output: 'flushed\n' } } }] });
    const start = machine.clock.now();
    await controller.freeze(['/boot', '/proc']);
    await machine.clock.advance(1_500);
    await controller.thaw();

    expect(controller.report()).toEqual({
      status: 'thawed',
      'started-at': start,
      'ended-at': start + 1_500_000_000n,
      'ended-by': 'thaw',
      filesystems: [{
        mountpoint: '/boot', result: 'frozen', 'flush-ns': 0n, 'freeze-ns': 0n, 'frozen-at': start, 'thawed-at': start + 1_500_000_000n,
      }],
      'left-out': [{ mountpoint: '/proc', reason: 'pseudo', detail: expect.stringContaining('/proc') }],
      hooks: [
        { name: 'a', phase: 'freeze', ok: true, output: 'flushed\n', 'duration-ns': 0n },
        { name: 'a', phase: 'thaw', ok: true, output: '', 'duration-ns': 0n },
      ],
    });
  });
});
