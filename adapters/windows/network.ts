// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../../core/errors/agent-error.ts';
import type { InterfaceStatistics, IpAddress, Network, NetworkInterface, NetworkRoute } from '../../core/ports/network.ts';
import {
  AF_INET, AF_INET6, iphlpapi, IP_ADAPTER_ADDRESSES, IP_ADAPTER_UNICAST_ADDRESS, MIB_IF_ROW2, MIB_IF_TABLE2,
  MIB_IPFORWARD_ROW2, MIB_IPFORWARD_TABLE2, SOCKADDR_IN, SOCKADDR_IN6,
} from './bindings/iphlpapi.ts';
import { ipv4Text, ipv6Text, netmaskText } from './ip-text.ts';
import { copyOf, koffi, type Out, type Pointer, wideText } from './koffi.ts';
import { type Layout, readFields } from './layout.ts';
import { windowsErrorOf } from './system-error.ts';

const GAA_FLAG_SKIP_ANYCAST = 2;
const GAA_FLAG_SKIP_MULTICAST = 4;
const GAA_FLAG_SKIP_DNS_SERVER = 8;
const flags = GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST | GAA_FLAG_SKIP_DNS_SERVER;
const ERROR_NOT_SUPPORTED = 50;
const ERROR_BUFFER_OVERFLOW = 111;
const ERROR_NO_DATA = 232;
const ERROR_NOT_FOUND = 1168;

export interface WindowsNetworkOptions {
  /** qemu-ga has guest-network-get-route on Windows since 11.0. */
  readonly routes?: boolean;
}

export const windowsNetwork = ({ routes = true }: WindowsNetworkOptions = {}): Network => ({
  interfaces: {
    // oxlint-disable-next-line require-await -- tables in memory; a failure is a rejection
    async list() {
      return adapters();
    },
  },
  ...(routes && {
    routes: {
      // oxlint-disable-next-line require-await -- tables in memory; a failure is a rejection
      async list() {
        return [...routesOf(AF_INET), ...routesOf(AF_INET6)];
      },
    },
  }),
});

/** One interface per adapter; the names are those that people give them. */
function adapters(): NetworkInterface[] {
  const statistics = statisticsByLuid();
  const memory = adapterMemory();
  if (memory === undefined) return [];
  const found: NetworkInterface[] = [];
  // The list is linked by addresses within the memory that was given.
  for (let at = koffi().address(memory); at !== 0n;) {
    const adapter = readFields(IP_ADAPTER_ADDRESSES, copyOf(at, IP_ADAPTER_ADDRESSES.size));
    const counters = statistics.get(adapter['Luid.Value']);
    const link = linkAddress(adapter.PhysicalAddress, adapter.PhysicalAddressLength);
    found.push({
      name: wideText(adapter.FriendlyName),
      ...(link === undefined ? {} : { hardwareAddress: link }),
      addresses: [...addressesFrom(adapter.FirstUnicastAddress)],
      ...(counters === undefined ? {} : { statistics: counters }),
    });
    at = adapter.Next;
  }
  // The memory must outlive the walk through it.
  memory.fill(0, 0, 1);
  return distinct(found);
}

function adapterMemory(): Buffer | undefined {
  const size: Out<number> = [16 * 1024];
  // Adapters may come between two calls: the size is asked for again then.
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const memory = Buffer.alloc(size[0]);
    const code = iphlpapi.GetAdaptersAddresses(0, flags, null, memory, size);
    if (code === 0) return memory;
    if (code === ERROR_NO_DATA) return undefined;
    if (code !== ERROR_BUFFER_OVERFLOW) throw withContext('failed to get adapters addresses', windowsErrorOf(code, { syscall: 'GetAdaptersAddresses' }));
  }
  throw AgentError.failed('failed to get adapters addresses: the list changes too fast');
}

/** Two adapters with one name would be one interface to hosts: the later ones get their number. */
function distinct(interfaces: readonly NetworkInterface[]): NetworkInterface[] {
  const seen = new Map<string, number>();
  return interfaces.map((one) => {
    const count = (seen.get(one.name) ?? 0) + 1;
    seen.set(one.name, count);
    return count === 1 ? one : { ...one, name: `${one.name} #${count}` };
  });
}

/** Always six bytes, as qemu-ga prints them; longer ones (IP over InfiniBand) are cut, absent ones are absent. */
function linkAddress(bytes: Buffer, length: number): string | undefined {
  if (length === 0) return undefined;
  return Array.from({ length: 6 }, (_, index) => (index < length ? (bytes[index] ?? 0) : 0).toString(16).padStart(2, '0')).join(':');
}

function* addressesFrom(first: Pointer): Generator<IpAddress> {
  for (let at = first; at !== 0n;) {
    const entry = readFields(IP_ADAPTER_UNICAST_ADDRESS, copyOf(at, IP_ADAPTER_UNICAST_ADDRESS.size));
    const address = addressAt(entry['Address.lpSockaddr'], entry['Address.iSockaddrLength']);
    if (address !== undefined) yield { ...address, prefix: entry.OnLinkPrefixLength };
    at = entry.Next;
  }
}

function addressAt(at: Pointer, length: number): Pick<IpAddress, 'family' | 'address'> | undefined {
  const memory = copyOf(at, Math.min(length, SOCKADDR_IN6.size));
  const family = memory.readUInt16LE(0);
  if (family === AF_INET && length >= SOCKADDR_IN.size) return { family: 'ipv4', address: ipv4Text(readFields(SOCKADDR_IN, memory).sin_addr) };
  if (family !== AF_INET6 || length < SOCKADDR_IN6.size) return undefined;
  const { sin6_addr: bytes, sin6_scope_id: scope } = readFields(SOCKADDR_IN6, memory);
  // As WSAAddressToString prints a link-local address: with the number of its interface.
  return { family: 'ipv6', address: scope === 0 ? ipv6Text(bytes) : `${ipv6Text(bytes)}%${scope}` };
}

/** Counters by the locally unique identifier: adapters without IPv4 have no index to look them up by. */
function statisticsByLuid(): Map<bigint, InterfaceStatistics> {
  const rows = table(iphlpapi.GetIfTable2, MIB_IF_TABLE2.fields.Table[0], MIB_IF_ROW2);
  return new Map(rows.map((row) => [row['InterfaceLuid.Value'], {
    rxBytes: row.InOctets, rxPackets: row.InUcastPkts, rxErrors: row.InErrors, rxDropped: row.InDiscards,
    txBytes: row.OutOctets, txPackets: row.OutUcastPkts, txErrors: row.OutErrors, txDropped: row.OutDiscards,
  }]));
}

function routesOf(family: number): NetworkRoute[] {
  const names = new Map(table(iphlpapi.GetIfTable2, MIB_IF_TABLE2.fields.Table[0], MIB_IF_ROW2).map((row) => [row.InterfaceIndex, row.Alias]));
  const rows = table((out) => iphlpapi.GetIpForwardTable2(family, out), MIB_IPFORWARD_TABLE2.fields.Table[0], MIB_IPFORWARD_ROW2);
  return rows.map((row) => {
    const common = { interface: names.get(row.InterfaceIndex) ?? `${row.InterfaceIndex}`, metric: row.Metric };
    const prefix = row['DestinationPrefix.PrefixLength'];
    const [destination, next] = [row['DestinationPrefix.Prefix'], row.NextHop];
    if (family === AF_INET) {
      const gateway = readFields(SOCKADDR_IN, next).sin_addr;
      return {
        version: 4, ...common, destination: ipv4Text(readFields(SOCKADDR_IN, destination).sin_addr), gateway: ipv4Text(gateway),
        mask: netmaskText(prefix),
      };
    }
    const hop = readFields(SOCKADDR_IN6, next).sin6_addr;
    return {
      version: 6, ...common, destination: ipv6Text(readFields(SOCKADDR_IN6, destination).sin6_addr), destinationPrefix: prefix,
      source: '::', sourcePrefix: 0, nextHop: ipv6Text(hop),
    };
  });
}

/** The rows of a table of netioapi.h: a count, and at `offset` the rows. None where the family is missing. */
function table<F extends Layout['fields']>(call: (table: Out<Pointer | null>) => number, offset: number, row: Layout<F>) {
  const out: Out<Pointer | null> = [null];
  const code = call(out);
  if (code === ERROR_NOT_FOUND || code === ERROR_NOT_SUPPORTED) return [];
  if (code !== 0 || out[0] === null) throw windowsErrorOf(code);
  try {
    const count = copyOf(out[0], 4).readUInt32LE(0);
    const memory = copyOf(out[0] + BigInt(offset), count * row.size);
    return Array.from({ length: count }, (_, index) => readFields(row, memory, index * row.size));
  } finally {
    iphlpapi.FreeMibTable(out[0]);
  }
}
