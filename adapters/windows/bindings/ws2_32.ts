// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';

/** Prototypes as in winsock2.h. A SOCKET is a handle. Failures are told by GetLastError, which WSAGetLastError is. */
export const ws2_32 = dll('ws2_32.dll', {
  WSAEnumNetworkEvents: prototype<(socket: Pointer, event: Pointer, events: Buffer) => number>(
    'int __stdcall WSAEnumNetworkEvents(void *socket, void *event, _Out_ void *events)'),
  WSAEventSelect: prototype<(socket: Pointer, event: Pointer, which: number) => number>('int __stdcall WSAEventSelect(void *socket, void *event, int32_t which)'),
  WSASocketW: prototype<(family: number, type: number, protocol: number, info: null, group: number, flags: number) => Pointer>(
    'void *__stdcall WSASocketW(int family, int type, int protocol, void *info, uint32_t group, uint32_t flags)'),
  WSAStartup: prototype<(version: number, data: Buffer) => number>('int __stdcall WSAStartup(uint16_t version, _Out_ void *data)'),
  accept: prototype<(socket: Pointer, address: Buffer, length: Out<number>) => Pointer>('void *__stdcall accept(void *socket, _Out_ void *address, _Inout_ int *length)'),
  bind: prototype<(socket: Pointer, address: Buffer, length: number) => number>('int __stdcall bind(void *socket, void *address, int length)'),
  closesocket: prototype<(socket: Pointer) => number>('int __stdcall closesocket(void *socket)'),
  listen: prototype<(socket: Pointer, backlog: number) => number>('int __stdcall listen(void *socket, int backlog)'),
  recv: prototype<(socket: Pointer, into: Buffer, length: number, flags: number) => number>('int __stdcall recv(void *socket, _Out_ void *into, int length, int flags)'),
  send: prototype<(socket: Pointer, from: Uint8Array, length: number, flags: number) => number>('int __stdcall send(void *socket, void *from, int length, int flags)'),
});

export const INVALID_SOCKET = 0xffffffffffffffffn;

/** For WSAEventSelect. */
export const events = { read: 1, write: 2, accept: 8, close: 32 } as const;

export const WSANETWORKEVENTS = layout('WSANETWORKEVENTS', 'winsock2.h', 44, { lNetworkEvents: [0, 'i32'], iErrorCode: [4, 'bytes40'] });

export const WSADATA = layout('WSADATA', 'winsock2.h', 408, { wVersion: [0, 'u16'] });
