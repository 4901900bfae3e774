// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';

import type { IpAddress, Network } from '../../core/ports/index.ts';
import { areDifferent, hasNoUndefined, isCounter, isText } from './expect.ts';
import { contractGroup, type ContractCase } from './group.ts';

function isAddress({ family, address, prefix }: IpAddress): void {
  const valid = family === 'ipv4' ? isIPv4(address) : isIPv6(address);
  assert.ok(valid, `${address} is an address of the family ${family}`);
  assert.ok(Number.isInteger(prefix) && prefix >= 0 && prefix <= (family === 'ipv4' ? 32 : 128), `${prefix} is a prefix length`);
}

const interfaceCases: readonly ContractCase<NonNullable<Network['interfaces']>>[] = [
  {
    name: 'every interface is there once, with addresses and counters in their forms',
    run: async (interfaces) => {
      const list = await interfaces.list();

      areDifferent(list.map(({ name }) => name), 'names');
      for (const one of list) {
        hasNoUndefined(one, one.name);
        isText(one.name, 'name');
        if (one.hardwareAddress !== undefined) assert.match(one.hardwareAddress, /^[\da-f]{2}(:[\da-f]{2}){5}$/u);
        for (const address of one.addresses) isAddress(address);
        for (const [key, value] of Object.entries(one.statistics ?? {})) isCounter(value, `${one.name}: ${key}`);
      }
    },
  },
  {
    name: 'the loopback interface has its address',
    skip: ({ knows }) => (knows.loopback === undefined ? 'needs a loopback interface that is up' : undefined),
    run: async (interfaces, { knows }) => {
      const loopback = (await interfaces.list()).find(({ name }) => name === knows.loopback);

      assert.deepEqual(loopback?.addresses.find(({ family }) => family === 'ipv4'), { family: 'ipv4', address: '127.0.0.1', prefix: 8 });
    },
  },
];

const isWhole = (value: number, name: string): void => assert.ok(Number.isInteger(value), `${name} is a whole number`);

const routeCases: readonly ContractCase<NonNullable<Network['routes']>>[] = [
  {
    name: 'IPv4 routes come before IPv6 routes, with addresses in their forms',
    run: async (routes) => {
      const list = await routes.list();

      const versions = list.map(({ version }) => version);
      assert.deepEqual(versions, versions.toSorted((one, other) => one - other));
      for (const route of list) {
        isText(route.interface, 'interface');
        if (route.version === 4) for (const address of [route.destination, route.gateway, route.mask]) assert.ok(isIPv4(address), address);
        else for (const address of [route.destination, route.source, route.nextHop]) assert.ok(isIPv6(address), address);
        for (const name of ['metric', 'flags', 'references', 'use'] as const) isWhole(route[name] ?? 0, name);
        if (route.version === 6) assert.ok(route.destinationPrefix >= 0 && route.destinationPrefix <= 128);
      }
    },
  },
];

export const interfaceContract = contractGroup('network.interfaces', (backend) => backend.network?.interfaces, interfaceCases);
export const routeContract = contractGroup('network.routes', (backend) => backend.network?.routes, routeCases);
