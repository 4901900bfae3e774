// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';

/** Prototypes as in iphlpapi.h and netioapi.h. */
export const iphlpapi = dll('iphlpapi.dll', {
  FreeMibTable: prototype<(table: Pointer) => void>('void __stdcall FreeMibTable(void *table)'),
  GetAdaptersAddresses: prototype<(family: number, flags: number, reserved: null, into: Buffer | null, size: Out<number>) => number>(
    'uint32_t __stdcall GetAdaptersAddresses(uint32_t family, uint32_t flags, void *reserved, _Out_ void *into, _Inout_ uint32_t *size)'),
  GetIfTable2: prototype<(table: Out<Pointer | null>) => number>('uint32_t __stdcall GetIfTable2(_Out_ void **table)'),
  GetIpForwardTable2: prototype<(family: number, table: Out<Pointer | null>) => number>(
    'uint32_t __stdcall GetIpForwardTable2(uint16_t family, _Out_ void **table)'),
});

export const AF_INET = 2;
export const AF_INET6 = 23;

export const IP_ADAPTER_ADDRESSES = layout('IP_ADAPTER_ADDRESSES_LH', 'iphlpapi.h', 448, {
  Length: [0, 'u32'], IfIndex: [4, 'u32'], Next: [8, 'pointer'], FirstUnicastAddress: [24, 'pointer'], FriendlyName: [72, 'pointer'],
  PhysicalAddress: [80, 'bytes8'], PhysicalAddressLength: [88, 'u32'], Mtu: [96, 'u32'], IfType: [100, 'u32'], Ipv6IfIndex: [108, 'u32'],
  'Luid.Value': [224, 'u64'],
});

export const IP_ADAPTER_UNICAST_ADDRESS = layout('IP_ADAPTER_UNICAST_ADDRESS_LH', 'iphlpapi.h', 64, {
  Next: [8, 'pointer'], 'Address.lpSockaddr': [16, 'pointer'], 'Address.iSockaddrLength': [24, 'i32'], OnLinkPrefixLength: [56, 'u8'],
});

export const SOCKADDR_IN = layout('struct sockaddr_in', 'ws2tcpip.h', 16, { sin_family: [0, 'u16'], sin_addr: [4, 'bytes4'] });

export const SOCKADDR_IN6 = layout('struct sockaddr_in6', 'ws2tcpip.h', 28, {
  sin6_family: [0, 'u16'], sin6_addr: [8, 'bytes16'], sin6_scope_id: [24, 'u32'],
});

export const MIB_IF_TABLE2 = layout('MIB_IF_TABLE2', 'netioapi.h', 1360, { NumEntries: [0, 'u32'], Table: [8, 'bytes1352'] });

export const MIB_IF_ROW2 = layout('MIB_IF_ROW2', 'netioapi.h', 1352, {
  'InterfaceLuid.Value': [0, 'u64'], InterfaceIndex: [8, 'u32'], Alias: [28, 'wide257'],
  PhysicalAddressLength: [1056, 'u32'], PhysicalAddress: [1060, 'bytes32'], Mtu: [1124, 'u32'],
  InOctets: [1208, 'u64'], InUcastPkts: [1216, 'u64'], InDiscards: [1232, 'u64'], InErrors: [1240, 'u64'],
  OutOctets: [1280, 'u64'], OutUcastPkts: [1288, 'u64'], OutDiscards: [1304, 'u64'], OutErrors: [1312, 'u64'],
});

export const MIB_IPFORWARD_TABLE2 = layout('MIB_IPFORWARD_TABLE2', 'netioapi.h', 112, { NumEntries: [0, 'u32'], Table: [8, 'bytes104'] });

export const MIB_IPFORWARD_ROW2 = layout('MIB_IPFORWARD_ROW2', 'netioapi.h', 104, {
  'InterfaceLuid.Value': [0, 'u64'], InterfaceIndex: [8, 'u32'], 'DestinationPrefix.Prefix': [12, 'bytes28'],
  'DestinationPrefix.PrefixLength': [40, 'u8'], NextHop: [44, 'bytes28'], Metric: [84, 'u32'],
});
