// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../../../core/errors/agent-error.ts';
import type { InterfaceStatistics, IpAddress, Network, NetworkInterface, NetworkRoute } from '../../../core/ports/network.ts';
import type { Ready } from '../../../core/ports/index.ts';
import { next } from '../../shared/ready.ts';
import { ipv4Text, ipv6Text } from './ip-text.ts';
import { type NativeAddon, nativeAddon } from '../native.ts';
import { type Link, type LinkAddress, linkAddresses, links } from './netlink.ts';
import { shortText } from '../kernel-files.ts';
import { parseIpv4Routes, parseIpv6Routes } from './routes.ts';
import { textFromBytes } from '../text.ts';

interface NetworkAddon extends NativeAddon {
  /** What the kernel answers to RTM_GETLINK and RTM_GETADDR. */
  netlinkInterfaces(): Promise<readonly [links: Uint8Array, addresses: Uint8Array]>;
}

/** A full Internet routing table has a million lines of 128 bytes; what is longer is refused. */
const routeFileLimit = 256 * 1024 * 1024;

/** The network of the agent's own network namespace. `root` stands before /proc: '' for the running system. */
export function linuxNetwork(root = ''): Network {
  return {
    interfaces: {
      async list() {
        const [linkDump, addressDump] = await (nativeAddon() as NetworkAddon).netlinkInterfaces();
        return interfacesOf(links(linkDump), linkAddresses(addressDump));
      },
    },
    routes: {
      list: () => next(
        routesOf(root, '/proc/net/route', parseIpv4Routes),
        (first) => next(routesOf(root, '/proc/net/ipv6_route', parseIpv6Routes), (second) => [...first, ...second]),
      ),
    },
  };
}

/**
 * One interface per name, by index, as getifaddrs(3) has them: the links first, then labels such as `eth0:1`, which
 * have the hardware address of their link and no counters of their own.
 */
export function interfacesOf(linkList: readonly Link[], addresses: readonly LinkAddress[]): NetworkInterface[] {
  const byIndex = new Map(linkList.map((link) => [link.index, link]));
  const found = new Map<string, { link: Link; statistics?: InterfaceStatistics; addresses: IpAddress[] }>();
  for (const link of linkList) {
    const statistics = statisticsOf(link.counters);
    found.set(link.name, { link, addresses: [], ...(statistics === undefined ? {} : { statistics }) });
  }
  for (const entry of addresses) {
    const link = byIndex.get(entry.index);
    const address = addressOf(entry);
    // A link that went between the two lists takes its addresses along.
    if (link === undefined || address === undefined) continue;
    const name = entry.label ?? link.name;
    const known = found.get(name) ?? { link, addresses: [] };
    found.set(name, known);
    known.addresses.push(address);
  }
  return Array.from(found, ([name, { link, statistics, addresses: own }]) => ({
    name,
    hardwareAddress: hardwareAddressText(link.hardwareAddress),
    addresses: own,
    ...(statistics === undefined ? {} : { statistics }),
  }));
}

function addressOf({ family, address, prefix }: LinkAddress): IpAddress | undefined {
  if (family === 2 && address.length === 4) return { family: 'ipv4', address: ipv4Text(address), prefix };
  if (family === 10 && address.length === 16) return { family: 'ipv6', address: ipv6Text(address), prefix };
  return undefined;
}

/** Always six bytes: InfiniBand's twenty are cut, and a tunnel without any has zeros (SIOCGIFHWADDR, qemu-ga 11.1). */
function hardwareAddressText(bytes: Uint8Array): string {
  let text = hexByte(bytes[0]);
  for (let index = 1; index < 6; index += 1) text += `:${hexByte(bytes[index])}`;
  return text;
}

const hexByte = (byte = 0): string => (byte < 16 ? `0${byte.toString(16)}` : byte.toString(16));

/** As /proc/net/dev shows them: packets that found no room in the ring count as dropped. */
function statisticsOf(counters: readonly bigint[]): InterfaceStatistics | undefined {
  const [rxPackets, txPackets, rxBytes, txBytes, rxErrors, txErrors, rxDropped, txDropped] = counters;
  if (rxPackets === undefined || txPackets === undefined || rxBytes === undefined || txBytes === undefined) return undefined;
  if (rxErrors === undefined || txErrors === undefined || rxDropped === undefined || txDropped === undefined) return undefined;
  const rxMissed = counters[15] ?? 0n;
  return { rxBytes, rxPackets, rxErrors, rxDropped: BigInt.asUintN(64, rxDropped + rxMissed), txBytes, txPackets, txErrors, txDropped };
}

/** A family that the guest does not have has no file, and contributes none. A list of a million lines is read elsewhere than here. */
function routesOf(root: string, path: string, parse: (text: string) => NetworkRoute[]): Ready<NetworkRoute[]> {
  const text = shortText(root + path);
  if (text !== undefined) return text === null ? [] : parse(text);
  return longRoutesOf(root, path, parse);
}

async function longRoutesOf(root: string, path: string, parse: (text: string) => NetworkRoute[]): Promise<NetworkRoute[]> {
  try {
    return parse(textFromBytes(await nativeAddon().readFile(root + path, routeFileLimit)));
  } catch (error) {
    throw withContext(`open("${path}")`, error);
  }
}
