// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import type { Hooks, Host, Power } from '../../core/ports/index.ts';
import { fails, hasNoUndefined, isCounter, isText } from './expect.ts';
import { contractGroup, type ContractCase } from './group.ts';

const nameCases: readonly ContractCase<NonNullable<Host['hostName']>>[] = [
  {
    name: 'the host has its name',
    run: async (hostName, { knows }) => {
      const name = await hostName.get();

      isText(name, 'name');
      if (knows.hostName !== undefined) assert.equal(name, knows.hostName);
    },
  },
];

const zoneCases: readonly ContractCase<NonNullable<Host['timeZone']>>[] = [
  {
    name: 'the offset is in whole seconds east of UTC',
    run: async (timeZone) => {
      const zone = await timeZone.get();

      hasNoUndefined(zone, 'the time zone');
      assert.ok(Number.isInteger(zone.offset) && Math.abs(zone.offset) <= 14 * 3600);
      if (zone.zone !== undefined) isText(zone.zone, 'zone');
    },
  },
];

const osCases: readonly ContractCase<NonNullable<Host['osInformation']>>[] = [
  {
    name: 'what is known of the operating system is text, and the rest is left out',
    run: async (osInformation) => {
      const information = await osInformation.get();

      hasNoUndefined(information, 'the information');
      for (const [key, value] of Object.entries(information)) assert.equal(typeof value, 'string', key);
      isText(information.kernelRelease, 'kernelRelease');
      isText(information.machine, 'machine');
    },
  },
];

const deviceCases: readonly ContractCase<NonNullable<Host['devices']>>[] = [
  {
    name: 'every device has a driver',
    run: async (devices) => {
      for (const device of await devices.list()) {
        hasNoUndefined(device, 'a device');
        isText(device.driverName, 'driverName');
        if (device.pciId !== undefined) assert.ok(device.pciId.vendorId < 2 ** 16 && device.pciId.deviceId < 2 ** 16);
      }
    },
  },
];

const packageCases: readonly ContractCase<NonNullable<Host['driverPackages']>>[] = [
  {
    name: 'every package of drivers has a name, each its own, and a version; what is not known is left out',
    run: async (packages) => {
      const all = await packages.list();
      for (const one of all) {
        hasNoUndefined(one, 'a package');
        for (const member of ['name', 'version'] as const) isText(one[member], member);
        for (const member of ['originalName', 'vendor'] as const) if (one[member] !== undefined) isText(one[member], member);
      }
      assert.equal(new Set(all.map(({ name }) => name)).size, all.length, 'a name twice');
    },
  },
];

const driverStates: ReadonlySet<string> = new Set(['stopped', 'start-pending', 'stop-pending', 'running', 'continue-pending', 'pause-pending', 'paused', 'unknown']);

const serviceCases: readonly ContractCase<NonNullable<Host['driverServices']>>[] = [
  {
    name: 'every driver has a name, each its own, and a state; what is not known is left out',
    run: async (services) => {
      const all = await services.list();
      for (const one of all) {
        hasNoUndefined(one, 'a driver');
        isText(one.name, 'name');
        assert.ok(driverStates.has(one.status), `status ${one.status}`);
        for (const member of ['driverPath', 'version', 'vendor'] as const) if (one[member] !== undefined) isText(one[member], member);
      }
      assert.equal(new Set(all.map(({ name }) => name.toLowerCase())).size, all.length, 'a name twice');
    },
  },
];

const shutdownCases: readonly ContractCase<NonNullable<Power['shutdown']>>[] = (['powerdown', 'halt', 'reboot'] as const).map((mode) => ({
  name: `the order for ${mode} is taken`,
  skip: ({ safe }) => (safe.power === true ? undefined : 'needs a machine that may be shut down'),
  run: async (shutdown) => shutdown.shutdown(mode),
}));

const suspendCases: readonly ContractCase<NonNullable<Power['suspend']>>[] = [
  {
    name: 'a mode that the system knows is taken, or refused with a reason',
    skip: ({ safe }) => (safe.power === true ? undefined : 'needs a machine that may be suspended'),
    run: async (suspend) => {
      for (const mode of suspend.modes) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- one mode after the other
          await suspend.suspend(mode);
        } catch (error) {
          // oxlint-disable-next-line no-await-in-loop -- only checks the error
          await fails(() => { throw error; }, 'failed');
        }
      }
    },
  },
  {
    name: 'the modes are some of disk, ram and hybrid',
    run: async (suspend) => {
      assert.ok([...suspend.modes].every((mode) => ['disk', 'ram', 'hybrid'].includes(mode)));
      assert.ok(suspend.modes.size > 0);
    },
  },
];

const hookCases: readonly ContractCase<Hooks>[] = [
  {
    name: 'every hook has a name and says whether its failure counts',
    run: async (hooks) => {
      for (const hook of await hooks.list()) {
        isText(hook.name, 'name');
        assert.equal(typeof hook.canVeto, 'boolean');
        if (hook.refused !== undefined) isText(hook.refused, 'refused');
      }
    },
  },
  {
    name: 'a hook that may run tells for every phase how it went',
    skip: ({ safe }) => (safe.hooks === true ? undefined : 'needs a machine with hooks that may be run'),
    run: async (hooks) => {
      const runnable = (await hooks.list()).filter(({ refused }) => refused === undefined);

      assert.ok(runnable.length > 0, 'there is a hook that may run');
      for (const phase of ['freeze', 'freezefail', 'thaw'] as const) {
        for (const hook of runnable) {
          // oxlint-disable-next-line no-await-in-loop -- as in a freeze
          const outcome = await hook.run(phase);
          hasNoUndefined(outcome, hook.name);
          assert.equal(typeof outcome.ok, 'boolean');
          assert.equal(typeof outcome.output, 'string');
          isCounter(outcome.durationNs, 'durationNs');
          if (!outcome.ok) isText(outcome.error, 'error');
        }
      }
    },
  },
];

export const hostNameContract = contractGroup('host.hostName', (backend) => backend.host?.hostName, nameCases);
export const timeZoneContract = contractGroup('host.timeZone', (backend) => backend.host?.timeZone, zoneCases);
export const osInformationContract = contractGroup('host.osInformation', (backend) => backend.host?.osInformation, osCases);
export const deviceContract = contractGroup('host.devices', (backend) => backend.host?.devices, deviceCases);
export const driverPackageContract = contractGroup('host.driverPackages', (backend) => backend.host?.driverPackages, packageCases);
export const driverServiceContract = contractGroup('host.driverServices', (backend) => backend.host?.driverServices, serviceCases);
export const shutdownContract = contractGroup('power.shutdown', (backend) => backend.power?.shutdown, shutdownCases);
export const suspendContract = contractGroup('power.suspend', (backend) => backend.power?.suspend, suspendCases);
export const hookContract = contractGroup('hooks', (backend) => backend.hooks, hookCases);
