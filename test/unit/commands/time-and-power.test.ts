// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { guest } from './support/exchange.ts';

const T = '1767225600123456789';

describe('time', () => {
  it('is told in whole microseconds', async () => {
    expect(await guest({ startTime: BigInt(T) }).ask('guest-get-time')).toBe('1767225600123456000');
  });

  it.each(['0', T, '3155759999999999999'])('is set to %s', async (time) => {
    const host = guest();

    expect(await host.ask('guest-set-time', `{"time": ${time}}`)).toBe('{}');
    expect(host.machine.clock.now()).toBe(BigInt(time));
    expect(host.machine.clock.hardware()).toBe(BigInt(time));
  });

  it.each(['-1', '3155760000000000000', '9000000000000000000'])('is not set to %s', async (time) => {
    const host = guest();

    expect(await host.ask('guest-set-time', `{"time": ${time}}`)).toBe('error: Invalid time');
    expect(host.machine.clock.now()).toBe(1_767_225_600_000_000_000n);
  });

  it('is taken from the hardware clock where none is given', async () => {
    const host = guest();
    host.machine.clock.setHardware(BigInt(T));

    expect(await host.ask('guest-set-time')).toBe('{}');
    expect(host.machine.clock.now()).toBe(BigInt(T));
  });

  it('is taken from the clock of the hypervisor where there is one, and the hardware clock is left as it is', async () => {
    const host = guest({ hypervisorClock: 'present' });
    host.machine.clock.setHypervisor(BigInt(T));

    expect(await host.ask('guest-set-time')).toBe('{}');
    expect([host.machine.clock.now(), host.machine.clock.hardware()]).toEqual([BigInt(T), 1_767_225_600_000_000_000n]);
  });

  it.each([
    ['does not answer', 'clock.references.list'],
    ['cannot be moved to', 'clock.references'],
  ])('is taken from the hardware clock where that of the hypervisor %s', async (_, port) => {
    const host = guest({ hypervisorClock: 'present' });
    host.machine.clock.setHardware(BigInt(T));
    if (port === 'clock.references') host.machine.faults.inject({ port, method: 'step', error: 'EPERM' });
    else host.machine.faults.inject({ port: 'clock.references.reference', method: 'read', error: 'EIO', times: Infinity });

    expect(await host.ask('guest-set-time')).toBe('{}');
    expect(host.machine.clock.now()).toBe(BigInt(T));
  });

  it('is taken from the hardware clock where the system has no others', async () => {
    const host = guest({ without: ['clock.references'] });
    host.machine.clock.setHardware(BigInt(T));

    expect(await host.ask('guest-set-time')).toBe('{}');
    expect(host.machine.clock.now()).toBe(BigInt(T));
  });

  it('is not set by an agent that may not', async () => {
    expect(await guest({ agent: { uid: 1000 } }).ask('guest-set-time', `{"time": ${T}}`))
      .toBe('error: Failed to set time to guest: Operation not permitted');
  });

  it('is not taken from a hardware clock that is not there', async () => {
    expect(await guest({ hardwareClock: 'absent' }).ask('guest-set-time'))
      .toBe('error: the hardware clock cannot be reached: No such file or directory');
  });
});

describe('power', () => {
  it.each([
    ['guest-shutdown', '{}', { kind: 'shutdown', mode: 'powerdown' }],
    ['guest-shutdown', '{"mode": "powerdown"}', { kind: 'shutdown', mode: 'powerdown' }],
    ['guest-shutdown', '{"mode": "halt"}', { kind: 'shutdown', mode: 'halt' }],
    ['guest-shutdown', '{"mode": "reboot"}', { kind: 'shutdown', mode: 'reboot' }],
    ['guest-suspend-disk', '{}', { kind: 'suspend', mode: 'disk' }],
    ['guest-suspend-ram', '{}', { kind: 'suspend', mode: 'ram' }],
  ])('is changed by %s %s', async (name, args, event) => {
    const host = guest();

    await host.ask(name, args);

    expect(host.machine.power.events).toMatchObject([event]);
  });

  it.each(['', 'Halt', 'toString', 'off'])('is not changed for mode %j', async (mode) => {
    const host = guest();

    expect(await host.ask('guest-shutdown', { mode }))
      .toBe('error: mode is invalid (valid values are: halt|powerdown|reboot');
    expect(host.machine.power.events).toEqual([]);
  });

  it('is not changed to what the machine cannot', async () => {
    expect(await guest().ask('guest-suspend-hybrid')).toBe('error: the requested suspend mode is not supported by the guest');
  });

  it('is accounted for with the mode that was given', async () => {
    const host = guest();

    await host.ask('guest-shutdown');
    await host.ask('guest-shutdown', { mode: 'halt' });
    await host.ask('guest-suspend-ram');

    expect(host.log.texts('account')).toEqual([
      'guest-shutdown called, mode: (null)', 'guest-shutdown called, mode: halt', 'guest-suspend-ram called',
    ]);
  });
});
