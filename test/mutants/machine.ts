// SPDX-License-Identifier: Apache-2.0
import { AgentError, posixError, type Accounts, type Clock, type Hook, type HookPhase, type Host, type NetworkInterface, type NetworkRoute, type Power, type ShutdownMode, type SshKeys } from '../../kit/index.ts';
import { listing, planted, type Mutant } from './mutant.ts';

type Setting = NonNullable<Clock['setting']>;
type Groups = NonNullable<Accounts['groups']>;
type Passwords = NonNullable<Accounts['passwords']>;
type OsInformation = NonNullable<Host['osInformation']>;

const interfaces = 'network.interfaces';
const routes = 'network.routes';
const forms = 'every interface is there once, with addresses and counters in their forms';
const routeForms = 'IPv4 routes come before IPv6 routes, with addresses in their forms';
const keysAreReplaced = 'keys that are written are read back, and written again they are replaced';
const hooksTell = 'a hook that may run tells for every phase how it went';

const sixth: NetworkRoute = {
  version: 6, interface: 'eth9', destination: '2001:db8::', destinationPrefix: 32, source: '::', sourcePrefix: 0, nextHop: '::', metric: 1, flags: 1, references: 0, use: 0,
};
const fourth: NetworkRoute = {
  version: 4, interface: 'eth9', destination: '192.0.2.0', gateway: '0.0.0.0', mask: '255.255.255.0', metric: 0, flags: 1, references: 0, use: 0, mtu: 0, window: 0, irtt: 0,
};

/** Every hook runs a little differently. */
const runningHooks = (run: (hook: Hook, phase: HookPhase) => Promise<unknown>) =>
  listing<Hook>('hooks', (list) => list.map((hook) => ({ ...hook, run: (phase: HookPhase) => run(hook, phase) })));

/** Faults of the network, the accounts, the clock, the power, the hooks and of what the machine says of itself. */
export const machineMutants: readonly Mutant[] = [
  {
    fault: 'monotonic time follows the wall clock back', group: 'clock', caughtBy: 'monotonic time never goes back',
    plant: planted<Clock>('clock', (clock) => {
      let readings = 0;
      return { monotonic: () => clock.monotonic() - ((readings += 1) > 500 ? 3_600_000_000_000n : 0n) };
    }),
  },
  {
    fault: 'monotonic time stands still', group: 'clock', caughtBy: 'both clocks go on',
    plant: planted<Clock>('clock', (clock) => {
      const reading = clock.monotonic();
      return { monotonic: () => reading };
    }),
  },
  {
    fault: 'the wall clock stands still', group: 'clock', caughtBy: 'both clocks go on',
    plant: planted<Clock>('clock', (clock) => {
      const reading = clock.now();
      return { now: () => reading };
    }),
  },
  {
    fault: 'monotonic time is in milliseconds', group: 'clock', caughtBy: 'monotonic time is in nanoseconds, as the wall clock is',
    plant: planted<Clock>('clock', (clock) => ({ monotonic: () => clock.monotonic() / 1_000_000n })),
  },
  {
    fault: 'monotonic time is in microseconds', group: 'clock', caughtBy: 'monotonic time is in nanoseconds, as the wall clock is',
    plant: planted<Clock>('clock', (clock) => ({ monotonic: () => clock.monotonic() / 1000n })),
  },
  {
    fault: 'a timer that is cancelled after it has fired fires again', group: 'clock', caughtBy: 'a timer may be cancelled twice, and after it has fired',
    plant: planted<Clock>('clock', (clock) => ({ after: (ms: number, callback: () => void) => {
      clock.after(ms, callback);
      return { cancel: callback };
    } })),
  },
  {
    fault: 'a timer counts in seconds', group: 'clock', caughtBy: 'a timer calls back once, not before its time',
    plant: planted<Clock>('clock', (clock) => ({ after: (ms: number, callback: () => void) => clock.after(ms / 1000, callback) })),
  },
  {
    fault: 'the clock is set to microseconds', group: 'clock.setting', caughtBy: 'the clock goes on from the time that was set', fakeOnly: true,
    plant: planted<Setting>('clock.setting', (setting) => ({ set: (time: bigint) => setting.set(time / 1000n) })),
  },
  {
    fault: 'a time before 1970 is taken without its sign', group: 'clock.setting', caughtBy: 'a time before 1970 is refused and changes nothing', fakeOnly: true,
    plant: planted<Setting>('clock.setting', (setting) => ({ set: (time: bigint) => setting.set(time < 0n ? -time : time) })),
  },
  {
    fault: 'an interface is there once for each address', group: interfaces, caughtBy: forms,
    plant: listing<NetworkInterface>(interfaces, (list) => [...list, { name: 'eth9', addresses: [] }, { name: 'eth9', addresses: [] }]),
  },
  {
    fault: 'hardware addresses have capital letters and hyphens', group: interfaces, caughtBy: forms,
    plant: listing<NetworkInterface>(interfaces, (list) => [...list, { name: 'eth9', addresses: [], hardwareAddress: '52-54-00-AB-CD-EF' }]),
  },
  {
    fault: 'an address has its scope with it', group: interfaces, caughtBy: forms,
    plant: listing<NetworkInterface>(interfaces, (list) => [...list, { name: 'eth9', addresses: [{ family: 'ipv4', address: '192.0.2.1/24', prefix: 24 }] }]),
  },
  {
    fault: 'a prefix is as long as the address', group: interfaces, caughtBy: 'the loopback interface has its address',
    plant: listing<NetworkInterface>(interfaces, (list) => list.map((one) => ({ ...one, addresses: one.addresses.map((address) => ({ ...address, prefix: 32 })) }))),
  },
  {
    fault: 'IPv6 routes come first', group: routes, caughtBy: routeForms,
    plant: listing<NetworkRoute>(routes, (list) => [sixth, ...list, fourth]),
  },
  {
    fault: 'a gateway is in hexadecimal, as /proc has it', group: routes, caughtBy: routeForms,
    plant: listing<NetworkRoute>(routes, (list) => [{ ...fourth, gateway: '0100A8C0' }, ...list]),
  },
  {
    fault: 'an IPv6 address is 32 digits, as /proc has it', group: routes, caughtBy: routeForms,
    plant: listing<NetworkRoute>(routes, (list) => [...list, { ...sixth, nextHop: 'fe800000000000000000000000000001' }]),
  },
  {
    fault: 'a session has no user', group: 'accounts.sessions', caughtBy: 'every session has a user and the time of its login',
    plant: listing('accounts.sessions', (list) => [...list, { user: '', loginTime: 1 }]),
  },
  {
    fault: 'the time of a login is unknown and told as NaN', group: 'accounts.sessions', caughtBy: 'every session has a user and the time of its login',
    plant: listing('accounts.sessions', (list) => [...list, { user: 'alice', loginTime: Number.NaN }]),
  },
  {
    fault: 'a crypted password is refused', group: 'accounts.passwords', caughtBy: 'the password of a user can be set, plain and crypted', fakeOnly: true,
    plant: planted<Passwords>('accounts.passwords', (passwords) => ({ set: async (user: string, password: Uint8Array, crypted: boolean) => {
      if (crypted) throw AgentError.failed('only plain passwords can be set');
      await passwords.set(user, password, crypted);
    } })),
  },
  {
    fault: 'a password that cannot be set is in the error', group: 'accounts.passwords', caughtBy: 'is refused, without the password in the error', fakeOnly: true,
    plant: planted<Passwords>('accounts.passwords', (passwords) => ({ set: (user: string, password: Uint8Array, crypted: boolean) =>
      passwords.set(user, password, crypted).catch(() => Promise.reject(AgentError.failed(`'${user}:${Buffer.from(password).toString()}' was refused`))) })),
  },
  {
    fault: 'a user is in no group', group: 'accounts.groups', caughtBy: 'a user is in groups that have names',
    plant: planted<Groups>('accounts.groups', () => ({ of: async () => [] })),
  },
  {
    fault: 'whoever is not there is in a group', group: 'accounts.groups', caughtBy: 'a user who is not there is in no groups',
    plant: planted<Groups>('accounts.groups', () => ({ of: async () => ['users'] })),
  },
  {
    fault: 'keys are looked for in the directory of the agent', group: 'accounts.sshKeys', caughtBy: 'the file of keys of a user is where the system has it',
    plant: planted<SshKeys>('accounts.sshKeys', () => ({ locate: async () => '/authorized_keys' })),
  },
  {
    fault: 'keys are added to those that are there', group: 'accounts.sshKeys', caughtBy: keysAreReplaced, fakeOnly: true,
    plant: planted<SshKeys>('accounts.sshKeys', (keys) => ({ write: async (user: string, text: string) => keys.write(user, (await keys.read(user) ?? '') + text) })),
  },
  {
    fault: 'keys are read as latin-1', group: 'accounts.sshKeys', caughtBy: keysAreReplaced, fakeOnly: true,
    plant: planted<SshKeys>('accounts.sshKeys', (keys) => ({ read: async (user: string) => {
      const text = await keys.read(user);
      return text === undefined ? undefined : Buffer.from(text).toString('latin1');
    } })),
  },
  {
    fault: 'what is unknown of the operating system is undefined', group: 'host.osInformation', caughtBy: 'what is known of the operating system is text, and the rest is left out',
    plant: planted<OsInformation>('host.osInformation', (os) => ({ get: async () => ({ ...await os.get(), variant: undefined }) })),
  },
  {
    fault: 'the version of the operating system is a number', group: 'host.osInformation', caughtBy: 'what is known of the operating system is text, and the rest is left out',
    plant: planted<OsInformation>('host.osInformation', (os) => ({ get: async () => ({ ...await os.get(), versionId: 12 }) })),
  },
  {
    fault: 'a device without a driver has an empty one', group: 'host.devices', caughtBy: 'every device has a driver', fakeOnly: true,
    plant: listing('host.devices', (list) => [...list, { driverName: '' }]),
  },
  {
    fault: 'numbers of PCI vendors have 32 bits', group: 'host.devices', caughtBy: 'every device has a driver', fakeOnly: true,
    plant: listing('host.devices', (list) => [...list, { driverName: 'VirtIO', pciId: { vendorId: 0x10001af4, deviceId: 1 } }]),
  },
  ...([
    ['a package of drivers without a version has an empty one', { name: 'oem9.inf', version: '' }],
    ['a package of drivers without a vendor has an empty one', { name: 'oem9.inf', version: '1.0', vendor: '' }],
    ['what is unknown of a package of drivers is undefined', { name: 'oem9.inf', version: '1.0', originalName: undefined }],
    ['a package of drivers is told twice', { name: 'oem0.inf', version: '1.0' }],
  ] as const).map(([fault, one]): Mutant => ({
    fault, group: 'host.driverPackages', caughtBy: 'every package of drivers has a name, each its own, and a version; what is not known is left out', fakeOnly: true,
    plant: listing('host.driverPackages', (list) => [...list, one]),
  })),
  ...([
    ['the state of a driver is a number', { name: 'viostor', status: 4 }],
    ['a driver without a file has an empty path', { name: 'viostor', status: 'stopped', driverPath: '' }],
    ['what is unknown of a driver is undefined', { name: 'viostor', status: 'stopped', version: undefined }],
    ['a driver is told twice', { name: 'NetKVM', status: 'running' }],
  ] as const).map(([fault, one]): Mutant => ({
    fault, group: 'host.driverServices', caughtBy: 'every driver has a name, each its own, and a state; what is not known is left out', fakeOnly: true,
    plant: listing('host.driverServices', (list) => [...list, one]),
  })),
  ...(['powerdown', 'halt', 'reboot'] as const).map((refused): Mutant => ({
    fault: `the order for ${refused} is unknown`, group: 'power.shutdown', caughtBy: `the order for ${refused} is taken`, fakeOnly: true,
    plant: planted<NonNullable<Power['shutdown']>>('power.shutdown', (power) => ({ shutdown: async (mode: ShutdownMode) => {
      if (mode === refused) throw posixError('EINVAL');
      await power.shutdown(mode);
    } })),
  })),
  {
    fault: 'a mode of sleep is refused without a sentence', group: 'power.suspend', caughtBy: 'a mode that the system knows is taken, or refused with a reason', fakeOnly: true,
    plant: planted<NonNullable<Power['suspend']>>('power.suspend', () => ({ suspend: () => Promise.reject(AgentError.failed('')) })),
  },
  {
    fault: 'modes of sleep have the names of the kernel', group: 'power.suspend', caughtBy: 'the modes are some of disk, ram and hybrid',
    plant: planted<NonNullable<Power['suspend']>>('power.suspend', () => ({ modes: new Set(['mem', 'disk']) })),
  },
  {
    fault: 'a hook has no name', group: 'hooks', caughtBy: 'every hook has a name and says whether its failure counts',
    plant: listing('hooks', (list) => [...list, { name: '', canVeto: true, run: async () => ({ ok: true, output: '', durationNs: 0n }) }]),
  },
  {
    fault: 'a hook does not say whether it can veto', group: 'hooks', caughtBy: 'every hook has a name and says whether its failure counts',
    plant: listing('hooks', (list) => [...list, { name: 'db', run: async () => ({ ok: true, output: '', durationNs: 0n }) }]),
  },
  {
    fault: 'a hook that fails rejects', group: 'hooks', caughtBy: hooksTell,
    plant: runningHooks(async (hook, phase) => {
      const outcome = await hook.run(phase);
      if (!outcome.ok) throw AgentError.failed(outcome.error ?? '');
      return outcome;
    }),
  },
  {
    fault: 'a hook that fails says no word of it', group: 'hooks', caughtBy: hooksTell,
    plant: runningHooks(async (hook, phase) => {
      const { ok, output, durationNs } = await hook.run(phase);
      return { ok, output, durationNs };
    }),
  },
  {
    fault: 'a hook tells its time in milliseconds', group: 'hooks', caughtBy: hooksTell,
    plant: runningHooks(async (hook, phase) => ({ ...await hook.run(phase), durationNs: 12 })),
  },
];
