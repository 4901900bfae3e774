// SPDX-License-Identifier: Apache-2.0
import { networkInterfaces } from 'node:os';
import type { Network, NetworkInterface } from 'concierge-ga/kit';

const withoutHardware = '00:00:00:00:00:00';

/** Only interfaces that are up and have an address: Node knows no others, and no counters. */
export const network: Network = {
  interfaces: {
    list: async () =>
      Object.entries(networkInterfaces()).map(([name, addresses = []]): NetworkInterface => {
        const hardwareAddress = addresses.find(({ mac }) => mac !== withoutHardware)?.mac ?? addresses[0]?.mac;
        return {
          name,
          ...(hardwareAddress === undefined ? {} : { hardwareAddress }),
          addresses: addresses.map(({ family, address, cidr }) => ({
            family: family === 'IPv4' ? 'ipv4' : 'ipv6',
            address,
            prefix: Number(cidr?.split('/')[1] ?? (family === 'IPv4' ? 32 : 128)),
          })),
        };
      }),
  },
};
