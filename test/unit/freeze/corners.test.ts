// SPDX-License-Identifier: Apache-2.0
/** What hardly ever happens to a freeze. */
import { describe, expect, it } from 'vitest';

import { AgentError } from '../../../core/errors/agent-error.ts';

import { HookRound } from '../../../core/freeze/hooks.ts';
import { planFreeze } from '../../../core/freeze/plan.ts';
import { demandSuccess } from '../../../core/freeze/session.ts';
import type { FreezeCandidate, Hook, HookOutcome } from '../../../core/ports/index.ts';
import { freezingGuest } from './freezing-guest.ts';

const candidate = (id: string, mountPoints: readonly string[], more: Partial<FreezeCandidate> = {}): FreezeCandidate => ({
  id, mountPoints, type: 'ext4', source: `/dev/${id}`, readOnly: false, backing: [], ...more,
});

describe('a plan', () => {
  it('names a file system that is mounted nowhere by its id', () => {
    const plan = planFreeze([candidate('8:1', [], { leftOut: { reason: 'covered', detail: 'out of reach' } })], { excluded: [], mountPoints: undefined });

    expect(plan.leftOut).toMatchObject([{ mountPoint: '8:1' }]);
  });

  it('takes a backing store that is in no survey, and one named twice, for what they are', () => {
    const plan = planFreeze([candidate('8:1', ['/']), candidate('7:0', ['/image'], { backing: ['8:1', '8:1', '99:9'] })], { excluded: [], mountPoints: undefined });

    expect(plan.levels.map((level) => level.map(({ id }) => id))).toEqual([['7:0'], ['8:1']]);
    expect(plan.cutCycles).toEqual([]);
  });

  it('cuts a ring open at the newest mount, and still freezes each file system once', () => {
    const plan = planFreeze(
      [candidate('a', ['/a'], { backing: ['b'] }), candidate('b', ['/b'], { backing: ['c'] }), candidate('c', ['/c'], { backing: ['a'] }), candidate('d', ['/d'])],
      { excluded: [], mountPoints: undefined },
    );

    expect(plan.cutCycles).toEqual(['/c']);
    expect(plan.levels.flat().map(({ id }) => id).toSorted()).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('a freeze', () => {
  it('passes over a name that is no mount point where it is told to, and says so', async () => {
    const guest = freezingGuest({ settings: { unknownMountPoints: 'ignore' } });

    const count = await guest.controller.freeze(['/data', '/nowhere']);

    expect(count).toBe(1);
    expect(guest.log.texts('warning')).toEqual(['failed to freeze /nowhere: no file system is mounted there']);
  });

  it('logs and reports what went wrong beside it', async () => {
    const guest = freezingGuest();
    const { freezing } = guest.machine.backend.fileSystem ?? {};
    if (freezing === undefined) throw new Error('this machine cannot freeze');
    const sentence = 'writer SqlServerWriter failed: nothing of it lies on what is frozen';
    const controller = guest.startAgent({
      freezing: { ...freezing, survey: () => freezing.survey(), begin: async (request) => Object.assign(await freezing.begin(request), { warnings: [sentence] }) },
    });

    await controller.freeze();

    expect(guest.log.texts('warning')).toEqual([sentence]);
    expect(controller.report().warnings).toEqual([sentence]);
    await controller.thaw();
  });

  it('warns of a file system that is covered by another mount', async () => {
    const guest = freezingGuest({
      machine: { mounts: [
        { mountPoint: '/', id: '8:1', type: 'ext4', source: '/dev/sda1' },
        { mountPoint: '/x', id: '8:2', type: 'ext4', source: '/dev/sda2' },
        { mountPoint: '/x', id: '8:3', type: 'ext4', source: '/dev/sda3' },
        { mountPoint: '/net', id: '0:50', type: 'nfs4', source: 'server:/x' },
      ] },
    });

    await guest.controller.freeze();

    expect(guest.log.texts('warning')).toEqual([expect.stringMatching(/^\/x is not frozen: .* is covered by another mount/)]);
    expect(guest.log.texts('debug').some((line) => line.startsWith('/net is not frozen'))).toBe(true);
  });

  it('warns of a file system that rests on itself by way of others, and freezes it all the same', async () => {
    const { startAgent, log } = freezingGuest();
    const froze: string[] = [];
    const controller = startAgent({
      freezing: {
        survey: async () => [candidate('a', ['/a'], { backing: ['b'] }), candidate('b', ['/b'], { backing: ['a'] })],
        begin: async ({ levels }) => ({
          recoveryData: {}, ended: new Promise(() => {}), flush: async () => undefined, thaw: async () => [],
          freeze: async () => levels.flat().map(({ id, mountPoint }) => (froze.push(mountPoint), { id, mountPoint, result: 'frozen' as const })),
        }),
        recover: async () => undefined,
        thawEverything: async () => [],
      },
    });

    expect(await controller.freeze()).toBe(2);

    expect(froze).toEqual(['/b', '/a']);
    expect(log.texts('warning')).toEqual(['/b seems to rest on itself: it is frozen in mount order']);
  });

  it('warns of an exclusion that fits nothing', async () => {
    const { startAgent, log } = freezingGuest({ settings: { excluded: ['/gone', '/'] } });

    await startAgent().freeze();

    expect(log.texts('warning')).toEqual(['fsfreeze-exclude names /gone, where nothing is mounted']);
  });

  it('fails where hooks cannot be listed, with nothing frozen and none to be told', async () => {
    const { startAgent, machine } = freezingGuest();
    const controller = startAgent({ hooks: { list: () => Promise.reject(AgentError.failed('the hooks cannot be listed')) } });

    await expect(controller.freeze()).rejects.toThrow('the hooks cannot be listed');

    expect(controller.status).toBe('thawed');
    expect(machine.fileSystems.frozen).toEqual([]);
  });

  it('without a deadline stays, whatever the time', async () => {
    const guest = freezingGuest({ settings: { deadlineMs: 0 } });
    await guest.controller.freeze();

    await guest.machine.clock.advance(1e9);

    expect(guest.controller.status).toBe('frozen');
  });

  it('whose mount point root may not open points at the audit log', async () => {
    const guest = freezingGuest();
    guest.machine.faults.inject({ port: 'kernel', method: 'openMountPoint', on: '/data', error: 'EACCES' });

    await expect(guest.controller.freeze()).rejects.toThrow('failed to open /data: Permission denied');

    expect(guest.log.texts('error')[0]).toContain('SELinux or AppArmor');
    expect(guest.frozen()).toEqual([]);
  });

  it('of which a file system failed without a sentence gets one', () => {
    expect(() => demandSuccess([{ id: '8:1', mountPoint: '/x', result: 'failed' }])).toThrow('failed to freeze /x');
  });

  it('of many file systems makes a log line that ends', async () => {
    const mounts = Array.from({ length: 40 }, (_, index) => ({ mountPoint: `/m${index}`, id: `8:${index + 10}`, type: 'ext4', source: `/dev/sd${index}` }));
    const guest = freezingGuest({ machine: { mounts: [{ mountPoint: '/', id: '8:1', type: 'ext4', source: '/dev/sda1' }, ...mounts] } });

    await guest.controller.freeze();

    expect(guest.log.texts('info').find((line) => line.startsWith('41 file systems are frozen'))).toMatch(/ and 9 more$/);
  });

  it('has what it needs started while it is planned, and called off where it does not come about', async () => {
    const { startAgent, machine } = freezingGuest();
    const freezing = machine.backend.fileSystem!.freezing!;
    const notes: string[] = [];
    const controller = startAgent({
      freezing: {
        prepare: () => (notes.push('prepare'), { cancel: () => void notes.push('cancel') }),
        survey: () => (notes.push('survey'), freezing.survey()),
        begin: (request) => (notes.push('begin'), freezing.begin(request)),
        recover: (marker) => freezing.recover(marker),
        thawEverything: (only, except) => freezing.thawEverything(only, except),
      },
    });

    await controller.freeze(['/boot']);
    await controller.thaw();
    await expect(controller.freeze(['/nope'])).rejects.toThrow('no file system is mounted there');

    expect(notes).toEqual(['prepare', 'survey', 'begin', 'cancel', 'prepare', 'survey', 'cancel']);
  });

  it('whose session remarks on the machine has it logged, once', async () => {
    const { startAgent, machine, log } = freezingGuest();
    const freezing = machine.backend.fileSystem!.freezing!;
    const controller = startAgent({
      freezing: {
        survey: () => freezing.survey(),
        recover: (marker) => freezing.recover(marker),
        thawEverything: (only, except) => freezing.thawEverything(only, except),
        begin: async (request) => {
          const session = await freezing.begin(request);
          return {
            recoveryData: {}, ended: session.ended, remarks: ['it is not spared'],
            flush: () => session.flush(), freeze: () => session.freeze(), thaw: () => session.thaw(),
          };
        },
      },
    });

    for (let round = 0; round < 2; round += 1) {
      await controller.freeze();
      await controller.thaw();
    }

    expect(log.texts('warning')).toEqual(['it is not spared']);
  });

  it('of others that can’t be thawed is told in the log by the thaw, which is no error', async () => {
    const { controller, machine, log } = freezingGuest();
    machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: Infinity });
    await controller.freeze(['/data']);

    expect(await controller.thaw()).toBe(1);

    expect(log.texts('warning')).toEqual(['failed to thaw /boot: Input/output error']);
    expect(controller.report()['left-out'].at(-1)).toEqual({ mountpoint: '/boot', reason: 'not-thawed', detail: 'failed to thaw /boot: Input/output error' });
  });

  it('whose thaw fails is told in the report', async () => {
    const guest = freezingGuest();
    await guest.controller.freeze();
    guest.machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: Infinity });

    await expect(guest.controller.thaw()).rejects.toThrow('Input/output error');

    expect(guest.controller.report().filesystems.find(({ mountpoint }) => mountpoint === '/boot')).toHaveProperty('thaw-error');
  });
});

describe('a hook', () => {
  const hook = (name: string, more: Partial<Hook>, outcome: Partial<HookOutcome> = {}): Hook => ({
    name, canVeto: true, run: async () => ({ ok: true, output: '', durationNs: 0n, ...outcome }), ...more,
  });
  const round = (...hooks: Hook[]) => HookRound.forFreeze({ list: async () => hooks }, []);

  it('that must not run and cannot veto is passed over', async () => {
    const runs: string[] = [];
    const other = hook('good', { run: async (phase) => (runs.push(phase), { ok: true, output: '', durationNs: 0n }) });

    await (await round(hook('bad', { refused: 'writable by others', canVeto: false }), other)).freeze();

    expect(runs).toEqual(['freeze']);
  });

  it('that breaks its contract and throws has failed with its name, and the thaw goes on to the others', async () => {
    const runs: string[] = [];
    const good = hook('a', { run: async (phase) => (runs.push(phase), { ok: true, output: '', durationNs: 0n }) });
    const hooks = await round(good, hook('b', { run: () => Promise.reject(new Error('lost')) }));

    await expect(hooks.freeze()).rejects.toThrow('fsfreeze hook b: lost');
    expect((await hooks.thaw())?.message).toBe('fsfreeze hook b: lost');
    expect(runs).toEqual(['freeze', 'thaw']);
  });

  it('that fails without a sentence gets one', async () => {
    const hooks = await round(hook('h', {}, { ok: false }));

    await expect(hooks.freeze()).rejects.toThrow('fsfreeze hook h failed');
    expect((await hooks.thaw())?.message).toBe('fsfreeze hook h failed');
  });
});
