// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';

import { AgentError, posixError } from '../../../kit/index.ts';
import { contextOf, exchange, guest } from './support/exchange.ts';

it('a shutdown that the system refuses is told with its reason', async () => {
  const { machine, ask } = guest();
  machine.faults.inject({ port: 'power.shutdown', method: 'shutdown', error: 'EPERM' });

  expect(await ask('guest-shutdown')).toBe('error: failed to shut down: Operation not permitted');
});

it('keys that cannot be written are told with the path', async () => {
  const { machine, ask } = guest();
  machine.faults.inject({ port: 'accounts.sshKeys', method: 'write', error: 'ENOSPC' });

  expect(await ask('guest-ssh-add-authorized-keys', { username: 'bob', keys: ['ssh-ed25519 AAAA b'] })).toBe("error: failed to write to '/home/bob/.ssh/authorized_keys': No space left on device");
});

it('drivers that cannot be listed are told', async () => {
  const context = contextOf({ host: { devices: { list: () => Promise.reject(AgentError.failed('the device tree is locked')) } } });

  expect(await exchange(context, 'guest-get-devices')).toBe('error: the device tree is locked');
});

it('drivers that cannot be listed for a reason of the system are told with it', async () => {
  const context = contextOf({ host: { devices: { list: () => Promise.reject(posixError('EIO')) } } });

  expect(await exchange(context, 'guest-get-devices')).toBe('error: failed to get device tree: Input/output error');
});
