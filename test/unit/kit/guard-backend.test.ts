// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { AgentError, posixError, type Backend } from '../../../kit/index.ts';
import { createFakeMachine } from '../../../kit/fake/index.ts';
import { guardBackend, missingMethods } from '../../../adapters/third-party/validation/guard-backend.ts';
import { loadBackend } from '../../../kit/contract/index.ts';

const machine = (): Backend => createFakeMachine().backend;
const clock = machine().clock;

/** A backend in which one method answers something else. */
const wrong = (ports: object): Backend => guardBackend({ clock, ...ports }, 'acme');

describe('the border of a backend', () => {
  it('lets everything through that the ports allow', async () => {
    const backend = guardBackend(machine(), 'fake');

    await expect(backend.host?.hostName?.get()).resolves.toBe('fake');
    await expect(backend.network?.interfaces?.list()).resolves.toHaveLength(2);
    await expect(backend.network?.routes?.list()).resolves.toHaveLength(3);
    await expect(backend.fileSystem?.disks?.list()).resolves.not.toHaveLength(0);
    await expect(backend.fileSystem?.usage?.list()).resolves.toHaveLength(4);
    await expect(backend.fileSystem?.diskStatistics?.list()).resolves.not.toHaveLength(0);
    await expect(backend.fileSystem?.freezing?.survey()).resolves.not.toHaveLength(0);
    await expect(backend.fileSystem?.trimming?.trim(0n)).resolves.toHaveLength(4);
    await expect(backend.memory?.blocks?.list()).resolves.toHaveLength(16);
    await expect(backend.processors?.statistics?.list()).resolves.toHaveLength(4);
    expect(backend.clock.now()).toBeTypeOf('bigint');
    expect(backend.power?.suspend?.modes.has('ram')).toBe(true);
    expect(backend.processes?.canMerge).toBe(true);
  });

  it('lets a backend through that is frozen against change', async () => {
    const file = Object.freeze({ read: () => 0, write: () => undefined, seek: () => 0, flush: () => undefined, close: async () => undefined, descriptor: 7 });
    const host = Object.freeze({ hostName: Object.freeze({ get: async () => 'frozen' }) });
    const fileSystem = Object.freeze({ files: Object.freeze({ open: async () => file }) });
    const backend = guardBackend(Object.freeze({ clock, host, fileSystem }) as unknown as Backend, 'acme');

    const opened = await backend.fileSystem?.files?.open('/x', 'r' as never);

    await expect(backend.host?.hostName?.get()).resolves.toBe('frozen');
    expect(opened).toHaveProperty('descriptor', 7);
    expect(Object.keys(backend)).toEqual(['clock', 'host', 'fileSystem']);
    expect('host' in backend && !('power' in backend)).toBe(true);
    await expect({ ...backend }.host?.hostName?.get()).resolves.toBe('frozen');
  });

  it.each([
    ['host.hostName.get', { host: { hostName: { get: async () => 7 } } }, (b: Backend) => b.host?.hostName?.get(), 'the answer should be a text, but is the number 7'],
    ['host.timeZone.get', { host: { timeZone: { get: async () => ({ offset: 1.5 }) } } }, (b: Backend) => b.host?.timeZone?.get(), 'the answer.offset should be a whole number, but is the number 1.5'],
    ['host.osInformation.get', { host: { osInformation: { get: async () => ({ id: undefined }) } } }, (b: Backend) => b.host?.osInformation?.get(), 'the answer.id should be a text, but is undefined'],
    ['host.osInformation.get', { host: { osInformation: { get: async () => ({ flavour: 'x' }) } } }, (b: Backend) => b.host?.osInformation?.get(), 'the answer.flavour is no member of the port'],
    ['network.interfaces.list', { network: { interfaces: { list: async () => [{ name: 'a', addresses: [{ family: 'ipx', address: '', prefix: 1 }] }] } } }, (b: Backend) => b.network?.interfaces?.list(), 'the answer[0].addresses[0].family should be one of ipv4, ipv6'],
    ['network.routes.list', { network: { routes: { list: async () => [{ version: 5 }] } } }, (b: Backend) => b.network?.routes?.list(), 'the answer[0].version should be 4 or 6'],
    ['processors.load.average', { processors: { load: { average: async () => [1, 2] } } }, (b: Backend) => b.processors?.load?.average(), 'the answer should have 3 elements, but has 2'],
    ['memory.blocks.blockSize', { memory: { blocks: { list: async () => [], blockSize: async () => 2n ** 64n } } }, (b: Backend) => b.memory?.blocks?.blockSize(), 'should be an unsigned bigint of 64 bits'],
    ['fileSystem.usage.list', { fileSystem: { usage: { list: async () => null } } }, (b: Backend) => b.fileSystem?.usage?.list(), 'the answer should be an array, but is null'],
    ['accounts.sessions.list', { accounts: { sessions: { list: async () => [[]] } } }, (b: Backend) => b.accounts?.sessions?.list(), 'the answer[0] should be an object, but is an array'],
    ['processes.spawn', { processes: { canMerge: false, spawn: async () => ({ pid: 1 }) } }, (b: Backend) => b.processes?.spawn({} as never), "the answer lacks the method 'onOutput', 'kill'"],
  ])('names %s when it answers what the port forbids', async (name, ports, call, message) => {
    await expect(call(wrong(ports))).rejects.toThrow(`the backend 'acme' broke the contract of ${name}: `);
    await expect(call(wrong(ports))).rejects.toThrow(message);
  });

  it('names the method of an object that was handed out', async () => {
    const file = { read: () => -1, write: () => undefined, seek: () => 0, flush: () => undefined, close: async () => undefined };
    const backend = wrong({ fileSystem: { files: { open: async () => file } } });

    const opened = await backend.fileSystem?.files?.open('/x', {} as never);

    expect(() => opened?.read(new Uint8Array(1))).toThrow("the backend 'acme' broke the contract of fileSystem.files.open → read: the answer should be a whole number from 0");
    expect(() => opened?.seek(0n, 'set')).toThrow('fileSystem.files.open → seek: the answer should be a bigint of 64 bits');
  });

  it('names the promise of an object that was handed out when it comes to what the port forbids', async () => {
    const begun = (ended: unknown): Backend => wrong({ fileSystem: { freezing: { begin: async () => ({ flush() {}, freeze() {}, thaw() {}, ended }) } } });
    const started = (finished: unknown): Backend => wrong({ processes: { canMerge: false, spawn: async () => ({ pid: 1, onOutput() {}, kill() {}, finished }) } });
    const end = { reason: 'deadline', detail: '', at: 0n, thawed: [] };
    const ended = async (its: unknown) => (await begun(its).fileSystem!.freezing!.begin({} as never)).ended;
    const finished = async (its: unknown) => (await started(its).processes!.spawn({} as never)).finished;

    await expect(ended(Promise.resolve({ ...end, reason: 'bored' }))).rejects.toThrow("the backend 'acme' broke the contract of fileSystem.freezing.begin → ended: the answer.reason should be one of deadline");
    await expect(ended(Promise.reject(new TypeError('oops')))).rejects.toThrow("the backend 'acme' failed in fileSystem.freezing.begin → ended: oops");
    await expect(ended(Promise.resolve(end))).resolves.toBe(end);
    await expect(finished(undefined)).rejects.toThrow('processes.spawn → finished: the answer should be an object, but is undefined');
    await expect(finished(Promise.resolve({ signal: 'KILL' }))).rejects.toThrow('the answer.signal should be a whole number');
    await expect(finished(Promise.resolve({ exitCode: 3 }))).resolves.toEqual({ exitCode: 3 });
    await expect(wrong({ processes: { canMerge: false, spawn: async () => ({ onOutput() {}, kill() {} }) } }).processes!.spawn({} as never))
      .rejects.toThrow('the answer.pid should be a whole number from 0, but is undefined');
  });

  it('looks at what channels hand out, and at what they say of themselves', async () => {
    const open = async (): Promise<void> => {};
    const make = (transport: object): Backend => wrong({ channels: { methods: [{ name: 'bus' }], create: async () => ({ open, close: open, ...transport }) } });

    const created = await make({ description: 'bus 1' }).channels?.create('bus', '/x', {} as never);

    await expect(make({}).channels?.create('bus', '/x', {} as never)).rejects.toThrow('channels.create: the answer.description should be a text');
    await expect(created?.lost).rejects.toThrow("the backend 'acme' broke the contract of channels.create → lost: the answer should be an error, but is undefined");
    expect(missingMethods({ clock, channels: { create: open } } as never)).toEqual(['channels.methods']);
  });

  it('passes errors of the system on, and names port and method of any other', async () => {
    const backend = wrong({
      host: {
        hostName: { get: () => Promise.reject(posixError('EIO')) },
        timeZone: { get: () => { throw new TypeError('undefined is not a function'); } },
      },
    });

    await expect(backend.host?.hostName?.get()).rejects.toMatchObject({ kind: 'os', message: 'Input/output error' });
    expect(() => backend.host?.timeZone?.get()).toThrow("the backend 'acme' failed in host.timeZone.get: undefined is not a function");
  });

  it('keeps a class’s own state reachable for its methods', () => {
    class Ticking {
      #now = 5n;
      now(): bigint { return (this.#now += 1n); }
      monotonic(): bigint { return this.#now; }
      after() { return { cancel: () => undefined }; }
    }

    const { clock: guarded } = guardBackend({ clock: new Ticking() }, 'acme');

    expect([guarded.now(), guarded.now()]).toEqual([6n, 7n]);
  });
});

describe('half a port', () => {
  it('is told with what is missing', () => {
    expect(missingMethods({ clock, memory: { blocks: { list: async () => [] } } } as never)).toEqual(['memory.blocks.blockSize']);
    expect(missingMethods({ clock: { now: () => 0n } } as never)).toEqual(['clock.monotonic', 'clock.after']);
    expect(missingMethods(machine())).toEqual([]);
  });

  it('is refused at load', async () => {
    const load = loadBackend({ id: 'acme', apiVersion: 1, detects: () => true, capabilities: ['fileSystem.files'], load: () => ({ clock, fileSystem: { files: {} } }) as never });

    await expect(load).rejects.toSatisfy((error) => AgentError.is(error));
    await expect(load).rejects.toThrow("brings only half of a port: add fileSystem.files.open, or leave the group out");
  });
});
