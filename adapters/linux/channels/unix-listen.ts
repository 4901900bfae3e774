// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { unlinkSync, type BigIntStats } from 'node:fs';
import { resolve } from 'node:path';
import { AgentError, osCode, withContext } from '../../../core/errors/agent-error.ts';
import { channelAddon } from './channel-binding.ts';
import { fileStatus, isSameFile } from '../../channels/file-identity.ts';
import { processName } from './process-name.ts';
import { BACKLOG, type ListeningSocket } from './socket-transport.ts';

/** Size of `sun_path` in unix(7); the kernel needs no NUL in it. */
export const MAXIMUM_PATH = 108;
/** Whoever may talk to the agent is root in the guest. */
const MODE = 0o600;
/** Another process may take the path between finding it free and binding. */
const ATTEMPTS = 3;

/** Those who come to a Unix socket. */
export const processPeers: Pick<ListeningSocket, 'name' | 'peer'> = {
  name: (pid, uid) => `process ${pid} of user ${uid}`,
  peer: (pid, uid) => ({ pid, uid }),
};

/**
 * A Unix socket at `path`, for its owner alone. A socket that nobody answers on is replaced, anything else at the path
 * is left alone (qemu-ga 11.1 unlinks whatever is there); at the end the file is removed, if it still is ours.
 */
export function unixListen(path: string): ListeningSocket {
  // For removal: the agent may have changed its directory by then.
  const absolute = resolve(path);
  let bound: BigIntStats | undefined;
  return {
    description: `unix-listen ${path}`,
    file: absolute,
    listen() {
      if (Buffer.byteLength(path) > MAXIMUM_PATH) throw AgentError.failed(`UNIX socket path '${path}' is too long`);
      const fd = bind(path, ATTEMPTS);
      bound = fileStatus(absolute);
      return fd;
    },
    adopted() {
      bound = fileStatus(absolute);
    },
    remove() {
      if (bound !== undefined && isSameFile(bound, fileStatus(absolute))) unlinkSync(absolute);
    },
    ...processPeers,
  };
}

function bind(path: string, attempts: number): number {
  try {
    return channelAddon().listenUnix(path, MODE, BACKLOG);
  } catch (error) {
    if (osCode(error) !== 'EADDRINUSE') throw withContext(`Failed to bind socket to ${path}`, error);
    removeStale(path);
    if (attempts <= 1) throw withContext(`Failed to bind socket to ${path}`, error);
    return bind(path, attempts - 1);
  }
}

/** Removes a socket that nobody listens on. @throws failed error when there is anything else */
function removeStale(path: string): void {
  const found = fileStatus(path);
  if (found === undefined) return;
  if (found.isDirectory()) throw AgentError.failed(`Failed to unlink socket ${path}: Is a directory`);
  if (!found.isSocket()) {
    throw AgentError.failed(`Failed to bind socket to ${path}: there is a file that is no socket; remove it or choose another path`);
  }
  try {
    const pid = channelAddon().probeUnix(path);
    throw AgentError.failed(`Failed to bind socket to ${path}: ${processName(pid)} is answering there; stop it or choose another path`);
  } catch (error) {
    if (osCode(error) === 'ENOENT') return;
    if (osCode(error) !== 'ECONNREFUSED') throw withContext(`Failed to bind socket to ${path}`, error);
  }
  // Another agent may have replaced it meanwhile.
  if (isSameFile(found, fileStatus(path))) unlinkSync(path);
}
