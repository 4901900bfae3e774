import { withContext } from '../../core/errors/agent-error.ts';
import { channelAddon } from './channel-binding.ts';
import { BACKLOG, type ListeningSocket } from './socket-transport.ts';
import type { VsockAddress } from '../vsock-address.ts';
import { HOST_CID, vsockPeers } from '../vsock-peers.ts';

/**
 * AF_VSOCK at a CID and port. Any process of the guest can reach it through the loopback CID, and other guests could where the
 * host lets them, so only the CIDs in `allowed` are served: the host's, unless configured.
 */
export function vsockListen({ cid, port }: VsockAddress, allowed: readonly number[] = [HOST_CID]): ListeningSocket {
  return {
    description: `vsock-listen ${cid}:${port}`,
    listen() {
      try {
        return channelAddon().listenVsock(cid, port, BACKLOG);
      } catch (error) {
        throw withContext(`Failed to ${attempt(error)} socket`, error);
      }
    },
    ...vsockPeers(allowed),
  };
}

const attempt = (error: unknown): string => {
  const syscall = (error as { os?: { syscall?: string } }).os?.syscall;
  return syscall === 'socket' ? 'create' : syscall === 'listen' ? 'listen on' : 'bind';
};
