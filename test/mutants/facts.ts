// SPDX-License-Identifier: Apache-2.0
import { AgentError, type Backend } from '../../kit/index.ts';
import { present, replaced, type Mutant } from './mutant.ts';

/** Faults of time and of what a machine says of itself, planted in the fake and in the backend for Linux. */
export const factMutants: readonly Mutant[] = [
  {
    fault: 'the wall clock is in milliseconds', group: 'clock', caughtBy: 'the wall clock is in nanoseconds since 1970',
    plant: (backend) => replaced(backend, { clock: replaced(backend.clock, { now: () => backend.clock.now() / 1_000_000n }) }),
  },
  {
    fault: 'timers fire twice', group: 'clock', caughtBy: 'a timer calls back once',
    plant: (backend) => replaced(backend, { clock: replaced(backend.clock, { after: (ms: number, callback: () => void) => backend.clock.after(ms, () => (callback(), callback())) }) }),
  },
  {
    fault: 'cancelling a timer does nothing', group: 'clock', caughtBy: 'timers fire in the order in which they are due, and a cancelled one does not',
    plant: (backend) => replaced(backend, { clock: replaced(backend.clock, { after: (ms: number, callback: () => void) => (backend.clock.after(ms, callback), { cancel: () => undefined }) }) }),
  },
  {
    fault: 'the host name has a line feed', group: 'host.hostName', caughtBy: 'the host has its name',
    plant: (backend) => withHost(backend, 'hostName', async () => `${(await present(backend.host?.hostName, 'hostName').get())}\n`),
  },
  {
    fault: 'the time zone is in minutes to the west', group: 'host.timeZone', caughtBy: 'the offset is in whole seconds east of UTC',
    plant: (backend) => withHost(backend, 'timeZone', async () => ({ offset: (await present(backend.host?.timeZone, 'timeZone').get()).offset / -60 + 0.5 })),
  },
  {
    fault: 'counters of interfaces are numbers', group: 'network.interfaces', caughtBy: 'with addresses and counters in their forms',
    plant: (backend) => {
      const network = present(backend.network, 'network');
      const interfaces = present(network.interfaces, 'interfaces');
      const list = async () => (await interfaces.list()).map((one) => ({ ...one, statistics: { rxBytes: 0 } }));
      return replaced(backend, { network: replaced(network, { interfaces: replaced(interfaces, { list }) }) });
    },
  },
  {
    fault: 'an unknown user has keys at a made-up place', group: 'accounts.sshKeys', caughtBy: 'a user who is not there has no keys',
    plant: (backend) => {
      const accounts = present(backend.accounts, 'accounts');
      const sshKeys = present(accounts.sshKeys, 'sshKeys');
      const locate = async (user: string): Promise<string> => {
        try {
          return await sshKeys.locate(user);
        } catch (error) {
          if (!AgentError.is(error)) throw error;
          return `/home/${user}/.ssh/authorized_keys`;
        }
      };
      return replaced(backend, { accounts: replaced(accounts, { sshKeys: replaced(sshKeys, { locate }) }) });
    },
  },
];

function withHost(backend: Backend, name: 'hostName' | 'timeZone', get: () => Promise<unknown>): Backend {
  const host = present(backend.host, 'host');
  return replaced(backend, { host: replaced(host, { [name]: replaced(present(host[name], name), { get }) }) });
}
