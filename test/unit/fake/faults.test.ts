// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { createFakeMachine } from '../../../kit/fake/index.ts';
import { settled } from '../../../adapters/fake/clock.ts';

const reading = { read: true, write: false, append: false, create: false, truncate: false };

/** Whether a promise is still open, once everything that could go on has gone on. */
async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const first = await Promise.race([promise.then(() => 'settled', () => 'settled'), settled().then(() => 'pending')]);
  return first === 'pending';
}

describe('faults of the fake', () => {
  it('fail a call once with the error of an errno, and then no more', async () => {
    const { backend, faults } = createFakeMachine();
    faults.inject({ port: 'fileSystem.files', method: 'open', error: 'EIO' });

    await expect((async () => backend.fileSystem?.files?.open('/etc/hostname', reading))()).rejects.toMatchObject({ os: { code: 'EIO', errno: 5 } });
    await expect(backend.fileSystem?.files?.open('/etc/hostname', reading)).resolves.toBeDefined();
  });

  it('hit only calls about one thing, after those that are skipped, as often as wanted', async () => {
    const { backend, faults } = createFakeMachine();
    const open = async (path: string): Promise<string> => {
      try {
        await backend.fileSystem?.files?.open(path, reading);
        return 'ok';
      } catch {
        return 'failed';
      }
    };
    const fault = faults.inject({ port: 'fileSystem.files', method: 'open', on: '/etc/motd', skip: 1, times: 2, error: 'EIO' });

    const outcomes = [
      await open('/etc/hostname'), await open('/etc/motd'), await open('/etc/motd'),
      await open('/etc/hostname'), await open('/etc/motd'), await open('/etc/motd'),
    ];

    expect(outcomes).toEqual(['ok', 'ok', 'failed', 'ok', 'failed', 'ok']);
    expect(fault.hits).toBe(2);
  });

  it('reach the objects that a port hands out', async () => {
    const { backend, faults } = createFakeMachine();
    faults.inject({ port: 'fileSystem.files.openFile', method: 'read', on: '/etc/hostname', error: 'EIO' });
    const other = await backend.fileSystem?.files?.open('/etc/motd', reading);
    const file = await backend.fileSystem?.files?.open('/etc/hostname', reading);

    expect(await other?.read(new Uint8Array(8))).toBe(8);
    expect(() => file?.read(new Uint8Array(8))).toThrow('Input/output error');
  });

  it('let a call hang until it is released', async () => {
    const { backend, faults } = createFakeMachine();
    const fault = faults.inject({ port: 'host.hostName', method: 'get', hang: true });

    const name = backend.host?.hostName?.get();

    expect(await isPending(Promise.resolve(name))).toBe(true);
    expect(fault.hanging).toBe(1);
    fault.release();
    expect(await name).toBe('fake');
  });

  it('fail a hanging call after its release where an error is given', async () => {
    const { backend, faults } = createFakeMachine();
    const fault = faults.inject({ port: 'network.interfaces', method: 'list', hang: true, error: 'ENETDOWN' });
    const list = backend.network?.interfaces?.list();

    fault.release();

    await expect(list).rejects.toThrow('Network is down');
  });

  it('delay a call on the clock of the machine', async () => {
    const { backend, clock, faults } = createFakeMachine();
    faults.inject({ port: 'power.shutdown', method: 'shutdown', delayMs: 2000 });

    const order = Promise.resolve(backend.power?.shutdown?.shutdown('reboot'));
    await clock.advance(1999);

    expect(await isPending(order)).toBe(true);
    await clock.advance(1);
    expect(await isPending(order)).toBe(false);
  });

  it('reach one file system below the ports', async () => {
    const { backend, faults } = createFakeMachine();
    faults.inject({ port: 'kernel', method: 'fitrim', on: '/boot', error: 'EIO' });

    const outcomes = await backend.fileSystem?.trimming?.trim(0n);

    expect(outcomes?.find(({ path }) => path === '/boot')).toEqual({ path: '/boot', error: 'failed to trim: Input/output error' });
    expect(outcomes?.filter(({ error }) => error !== undefined)).toHaveLength(1);
  });

  it('all end at once, and what hangs goes on', async () => {
    const { backend, faults } = createFakeMachine();
    faults.inject({ port: 'host.hostName', method: 'get', times: Infinity, hang: true });
    const ask = async (): Promise<string | undefined> => backend.host?.hostName?.get();
    const names = [ask(), ask()];

    faults.clear();

    expect(await Promise.all(names)).toEqual(['fake', 'fake']);
    expect(await backend.host?.hostName?.get()).toBe('fake');
  });

  it('are refused for a call that no port has, with the list of those there are', () => {
    const { faults } = createFakeMachine({ without: ['power'] });

    expect(() => faults.inject({ port: 'fileSystem.files', method: 'opne', error: 'EIO' })).toThrow(/'fileSystem\.files\.opne'; it has .*fileSystem\.files\.open,/u);
    expect(() => faults.inject({ port: 'power.shutdown', method: 'shutdown', error: 'EIO' })).toThrow(/no port of this machine/u);
    expect(() => faults.inject({ port: 'host.hostName', method: 'get' })).toThrow(/at least one of/u);
  });

  it('have a record of the calls beside them', async () => {
    const { backend, faults } = createFakeMachine();

    await (await backend.fileSystem?.files?.open('/etc/motd', reading))?.close();

    expect(faults.calls).toEqual(['fileSystem.files.open /etc/motd', 'fileSystem.files.openFile.close /etc/motd']);
  });
});
