// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../../core/errors/agent-error.ts';
import { INVALID_HANDLE, kernel32 } from '../../bindings/kernel32.ts';
import { errorName, windowsErrorOf } from '../../system-error.ts';

/*
 * What the viosock driver of virtio-win tells of itself in its public headers (viosock/sys/public.h and viosock/inc/vio_sockets.h):
 * Windows has no family AF_VSOCK, so the driver is asked which number its Winsock provider has. The structure is the one of
 * vsock(7) without its tail.
 */
const device = '\\\\.\\Viosock';
/** IOCTL_GET_AF: CTL_CODE(0x0801, 0xC03, METHOD_BUFFERED, FILE_ANY_ACCESS). */
const getFamily = 0x0801_300c;

const GENERIC_READ = 0x8000_0000;
const FILE_SHARE_READ = 1;
const OPEN_EXISTING = 3;

/** The address family of vsock sockets on this machine. @throws failed error where the driver is not there */
export async function vsockFamily(): Promise<number> {
  const { result: handle, lastError: code } = await kernel32.CreateFileW.async(device, GENERIC_READ, FILE_SHARE_READ, null, OPEN_EXISTING, 0, null);
  if (handle === INVALID_HANDLE) {
    const failure = windowsErrorOf(code, { syscall: 'CreateFile', path: device });
    const missing = /^ERROR_(?:FILE|PATH)_NOT_FOUND$/.test(errorName(code));
    throw AgentError.failed(missing
      ? `vsock needs a driver: there is no ${device} (give the machine a vsock device on the host, and install viosock of virtio-win)`
      : `vsock cannot be used: ${device}: ${failure.message}`, failure);
  }
  try {
    const answer = Buffer.alloc(4);
    const asked = await kernel32.DeviceIoControl.async(handle, getFamily, null, 0, answer, answer.length, [0], null);
    if (asked.result === 0) {
      const failure = windowsErrorOf(asked.lastError, { syscall: 'DeviceIoControl', path: device });
      throw AgentError.failed(`vsock cannot be used: its driver is too old to tell its address family (${failure.message})`, failure);
    }
    return answer.readUInt32LE(0) & 0xffff;
  } finally {
    kernel32.CloseHandle(handle);
  }
}

/** `SOCKADDR_VM`: family, two bytes of nothing, port, CID; in the order of this machine. */
const size = 12;

export interface Peer {
  readonly cid: number;
  readonly port: number;
}

export function vsockAddress(family: number, { cid, port }: Peer): Buffer {
  const address = Buffer.alloc(size);
  address.writeUInt16LE(family, 0);
  address.writeUInt32LE(port, 4);
  address.writeUInt32LE(cid, 8);
  return address;
}

export const peerOf = (address: Buffer): Peer => ({ port: address.readUInt32LE(4), cid: address.readUInt32LE(8) });

/** More than one: a later driver may have the tail too. */
export const roomForAddress = 32;
