// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import { channelAddon } from './channel-binding.ts';
import type { ListeningSocket } from './socket-transport.ts';
import { processPeers } from './unix-listen.ts';
import { HOST_CID, vsockPeers } from '../../shared/vsock-peers.ts';

/** SD_LISTEN_FDS_START of sd_listen_fds(3). */
const FIRST_FD = 3;

/** A listening socket that the service manager made. It replaces method and path of options and configuration. */
export interface ActivatedSocket {
  readonly method: 'unix-listen' | 'vsock-listen';
  readonly socket: ListeningSocket;
}

/**
 * The socket of systemd socket activation, `undefined` where the process was not started by one. Takes the variables out of
 * `environment`, so that no child takes them for its own.
 *
 * @throws failed error in qemu-ga's words: more than one descriptor, none at all, of another kind, not listening
 */
export function activatedSocket(
  environment: NodeJS.ProcessEnv,
  { pid = process.pid, allowedCids = [HOST_CID] }: { readonly pid?: number; readonly allowedCids?: readonly number[] } = {},
): ActivatedSocket | undefined {
  const count = announced(environment, pid);
  delete environment['LISTEN_PID'];
  delete environment['LISTEN_FDS'];
  delete environment['LISTEN_FDNAMES'];
  if (count === 0) return undefined;
  if (count > 1) throw AgentError.failed('qemu-ga only supports listening on one socket');

  const addon = channelAddon();
  const { family, listening, path = '', cid = 0, port = 0 } = describe(FIRST_FD);
  if (family === 'other') throw AgentError.failed('unsupported listen fd type');
  if (!listening) throw AgentError.failed('unsupported listen fd type: the socket does not listen (Accept=no is needed in the socket unit)');
  addon.setCloseOnExec(FIRST_FD);
  const listen = (): number => FIRST_FD;
  if (family === 'vsock') {
    return { method: 'vsock-listen', socket: { description: `vsock-listen ${cid}:${port} (socket activation)`, listen, ...vsockPeers(allowedCids) } };
  }
  return {
    method: 'unix-listen',
    socket: { description: `unix-listen ${path} (socket activation)`, listen, ...processPeers },
  };
}

function announced(environment: NodeJS.ProcessEnv, pid: number): number {
  const { LISTEN_PID: forProcess = '', LISTEN_FDS: count = '' } = environment;
  if (!/^[0-9]+$/.test(forProcess) || Number(forProcess) !== pid) return 0;
  return /^[0-9]+$/.test(count) ? Number(count) : 0;
}

function describe(fd: number): ReturnType<ReturnType<typeof channelAddon>['describeSocket']> {
  try {
    return channelAddon().describeSocket(fd);
  } catch (error) {
    // ENOTSOCK, or EBADF where nothing was handed over.
    throw AgentError.failed(`unsupported listen fd type: ${(error as Error).message}`, error);
  }
}
