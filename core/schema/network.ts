// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { enumOf, int, listOf, optional, required, str, struct, uint64 } from './types.ts';

export const guestIpAddress = struct(
  'GuestIpAddress',
  {
    'ip-address': required(str, 'The address as text.'),
    'ip-address-type': required(enumOf('GuestIpAddressType', ['ipv4', 'ipv6']), 'Its family.'),
    prefix: required(int, 'Length of the network prefix in bits.'),
  },
  ['ip-address-type', 'ip-address', 'prefix'],
);

export const guestNetworkInterfaceStat = struct(
  'GuestNetworkInterfaceStat',
  {
    'rx-bytes': required(uint64, 'Bytes received.'),
    'rx-packets': required(uint64, 'Packets received.'),
    'rx-errs': required(uint64, 'Bad packets received.'),
    'rx-dropped': required(uint64, 'Received packets that were dropped.'),
    'tx-bytes': required(uint64, 'Bytes sent.'),
    'tx-packets': required(uint64, 'Packets sent.'),
    'tx-errs': required(uint64, 'Packets that could not be sent.'),
    'tx-dropped': required(uint64, 'Packets that were dropped before sending.'),
  },
  ['tx-packets', 'tx-errs', 'rx-bytes', 'rx-dropped', 'rx-packets', 'rx-errs', 'tx-bytes', 'tx-dropped'],
);

export const guestNetworkInterface = struct(
  'GuestNetworkInterface',
  {
    name: required(str, 'Name of the interface.'),
    'hardware-address': optional(str, 'Six bytes in lower-case hexadecimal with colons.'),
    'ip-addresses': optional(listOf(guestIpAddress), 'Its addresses; absent where it has none.'),
    statistics: optional(guestNetworkInterfaceStat, 'Counters since it came up.'),
  },
  ['name', 'ip-addresses', 'statistics', 'hardware-address'],
);

export const guestNetworkGetInterfaces = command({
  name: 'guest-network-get-interfaces',
  since: '1.1',
  group: 'observe',
  summary: 'Lists network interfaces with their addresses and counters.',
  result: listOf(guestNetworkInterface),
  resultDoc: 'In the order of the interface index.',
  needs: 'network.interfaces',
});

export const guestNetworkRoute = struct(
  'GuestNetworkRoute',
  {
    iface: required(str, 'The interface that it leads to.'),
    destination: required(str, 'Network or host that it leads to.'),
    metric: required(int, 'Its cost.'),
    gateway: optional(str, 'IPv4: the next router.'),
    mask: optional(str, 'IPv4: mask of the destination, dotted.'),
    irtt: optional(int, 'IPv4: initial round-trip time.'),
    flags: optional(uint64, 'Flags of the kernel (`RTF_…`).'),
    refcnt: optional(int, 'How often it is referred to.'),
    use: optional(int, 'How often it was looked up.'),
    window: optional(int, 'IPv4: window size for TCP.'),
    mtu: optional(int, 'IPv4: largest packet.'),
    desprefixlen: optional(str, 'IPv6: prefix length of the destination, a decimal number as text.'),
    source: optional(str, 'IPv6: network that it is for.'),
    srcprefixlen: optional(str, 'IPv6: prefix length of the source, a decimal number as text.'),
    nexthop: optional(str, 'IPv6: the next router.'),
    version: required(int, 'IP version: 4 or 6.'),
  },
  [
    'flags', 'source', 'metric', 'refcnt', 'window', 'version', 'nexthop', 'iface', 'destination', 'desprefixlen', 'irtt',
    'gateway', 'srcprefixlen', 'use', 'mtu', 'mask',
  ],
);

export const guestNetworkGetRoute = command({
  name: 'guest-network-get-route',
  since: '9.1',
  group: 'observe',
  summary: 'Lists the routes of the main table.',
  result: listOf(guestNetworkRoute),
  resultDoc: 'IPv4 first, then IPv6.',
  needs: 'network.routes',
});
