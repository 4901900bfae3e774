// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf } from '../../../../core/errors/agent-error.ts';
import { kernel32 } from '../../bindings/kernel32.ts';
import { askDevice, openDevice } from '../../device-control.ts';

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

/** The address family of vsock sockets on this machine. @throws failed error where the driver is not there */
export async function vsockFamily(): Promise<number> {
  const handle = await openDevice(device, { access: GENERIC_READ, share: FILE_SHARE_READ }).catch((error: unknown) => {
    throw AgentError.failed(isMissing(error)
      ? `vsock needs a driver: there is no ${device} (give the machine a vsock device on the host, and install viosock of virtio-win)`
      : `vsock cannot be used: ${device}: ${messageOf(error)}`, error);
  });
  try {
    const answer = await askDevice(handle, getFamily, null, 4);
    return answer.readUInt32LE(0) & 0xffff;
  } catch (error) {
    throw AgentError.failed(`vsock cannot be used: its driver is too old to tell its address family (${messageOf(error)})`, error);
  } finally {
    kernel32.CloseHandle(handle);
  }
}

const isMissing = (error: unknown): boolean => AgentError.is(error) && /^ERROR_(?:FILE|PATH)_NOT_FOUND$/.test(error.os?.code ?? '');

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
