// SPDX-License-Identifier: Apache-2.0
import { AgentError, osCode, withContext } from '../../../core/errors/agent-error.ts';
import { channelAddon } from './channel-binding.ts';
import { BACKLOG, type ListeningSocket } from './socket-transport.ts';
import type { VsockAddress } from '../../shared/vsock-address.ts';
import { HOST_CID, vsockPeers } from '../../shared/vsock-peers.ts';

/**
 * AF_VSOCK at a CID and port. Any process of the guest can reach it through the loopback CID, and other guests could where the
 * host lets them, so only the CIDs in `allowed` are served: the host's, unless configured.
 */
export function vsockListen({ cid, port }: VsockAddress, allowed: readonly number[] = [HOST_CID]): ListeningSocket {
  return {
    description: `vsock-listen ${cid}:${port}`,
    endsWithGeneration: true,
    listen() {
      try {
        return channelAddon().listenVsock(cid, port, BACKLOG);
      } catch (error) {
        throw failure(error, { cid, port });
      }
    },
    ...vsockPeers(allowed),
  };
}

/** What can be done about a failure, behind qemu-ga's sentence. */
const hints: Readonly<Record<string, (address: VsockAddress) => string>> = {
  EADDRNOTAVAIL: ({ cid }) => `${cid} is no CID of this machine: 4294967295 stands for whichever it has`,
  EADDRINUSE: ({ port }) => `something else listens on port ${port}: stop it or choose another port`,
  EAFNOSUPPORT: () => 'this kernel has no vsock: load the module of its hypervisor, such as vmw_vsock_virtio_transport',
  EACCES: ({ port }) => `port ${port} is for root alone, as all below 1024`,
};

function failure(error: unknown, address: VsockAddress): AgentError {
  const failed = withContext(`Failed to ${attempt(error)} socket`, error);
  const hint = hints[osCode(error) ?? '']?.(address);
  return hint === undefined || failed.os === undefined ? failed : new AgentError('os', `${failed.message} (${hint})`, { os: failed.os, cause: error });
}

const attempt = (error: unknown): string => {
  const syscall = (error as { os?: { syscall?: string } }).os?.syscall;
  return syscall === 'socket' ? 'create' : syscall === 'listen' ? 'listen on' : 'bind';
};
