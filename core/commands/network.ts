// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../errors/agent-error.ts';
import type { InterfaceStatistics, Ipv4Route, Ipv6Route, NetworkInterface, NetworkRoute } from '../ports/index.ts';
import { guestNetworkGetInterfaces, guestNetworkGetRoute } from '../schema/network.ts';
import { available, handler, told } from './command.ts';
import { present } from './present.ts';

export const getInterfaces = handler(guestNetworkGetInterfaces, async ({ backend }) => {
  try {
    const interfaces = await available(backend.network?.interfaces, 'network.interfaces').list();
    return interfaces.map(networkInterface);
  } catch (error) {
    throw withContext('getifaddrs failed', error);
  }
});

const networkInterface = ({ name, hardwareAddress, addresses, statistics }: NetworkInterface) => present({
  name,
  'hardware-address': hardwareAddress,
  // Hosts know an interface without addresses by the missing member.
  'ip-addresses': addresses.length === 0 ? undefined : addresses.map(({ family, address, prefix }) => ({
    'ip-address': address,
    'ip-address-type': family,
    prefix,
  })),
  statistics: statistics === undefined ? undefined : counters(statistics),
});

const counters = (statistics: InterfaceStatistics) => ({
  'rx-bytes': statistics.rxBytes,
  'rx-packets': statistics.rxPackets,
  'rx-errs': statistics.rxErrors,
  'rx-dropped': statistics.rxDropped,
  'tx-bytes': statistics.txBytes,
  'tx-packets': statistics.txPackets,
  'tx-errs': statistics.txErrors,
  'tx-dropped': statistics.txDropped,
});

export const getRoute = handler(guestNetworkGetRoute, ({ backend }) => told(
  'failed to list routes',
  () => available(backend.network?.routes, 'network.routes').list(),
  (routes) => routes.map((route) => (route.version === 4 ? ipv4Route(route) : ipv6Route(route))),
));

/** As an unsigned number: the kernel prints 32 bits, and qemu-ga 11.1 makes 0x80200001 a number of 64 bits. */
const flagBits = (flags: number): number => flags >>> 0;

/** What a system does not keep is left out. */
const kept = ({ flags, references, use }: NetworkRoute) => ({
  ...(flags !== undefined && { flags: flagBits(flags) }),
  ...(references !== undefined && { refcnt: references }),
  ...(use !== undefined && { use }),
});

const ipv4Route = (route: Ipv4Route) => ({
  iface: route.interface,
  destination: route.destination,
  gateway: route.gateway,
  mask: route.mask,
  metric: route.metric,
  ...kept(route),
  ...(route.mtu !== undefined && { mtu: route.mtu }),
  ...(route.window !== undefined && { window: route.window }),
  ...(route.irtt !== undefined && { irtt: route.irtt }),
  version: 4,
});

const ipv6Route = (route: Ipv6Route) => ({
  iface: route.interface,
  destination: route.destination,
  // Numbers as text: that is how the schema of qemu-ga has them.
  desprefixlen: String(route.destinationPrefix),
  source: route.source,
  srcprefixlen: String(route.sourcePrefix),
  nexthop: route.nextHop,
  metric: route.metric,
  ...kept(route),
  version: 6,
});
