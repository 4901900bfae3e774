// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';

import { ClientError } from '../client-error.ts';
import { connectUnix, type ConnectOptions } from '../connect.ts';
import type { LibvirtPlace, SshPlace } from './libvirt-uri.ts';

/** Characters of what ssh says. */
const MOST_SAID = 4096;

export interface LibvirtStream {
  readonly stream: Duplex;
  /** What the way has to say about its end. */
  readonly describe: () => string;
}

/** Opens the way to a daemon. @throws ClientError that says what to do */
export async function openLibvirtStream(place: LibvirtPlace, readOnly: boolean, options: ConnectOptions): Promise<LibvirtStream> {
  return place.ssh === undefined ? { stream: await openLocal(place.sockets, options), describe: () => '' } : throughSsh(place.ssh, place, readOnly);
}

async function openLocal(sockets: readonly string[], options: ConnectOptions): Promise<Duplex> {
  let last: unknown;
  for (const path of sockets) {
    try {
      return await connectUnix(path, options);
    } catch (error) {
      if (!ClientError.is(error)) throw error;
      const code = (error.cause as NodeJS.ErrnoException | undefined)?.code;
      if (code === 'EACCES' || code === 'EPERM') throw new ClientError('closed', `${path} is not open to this user: become root, or a member of the group libvirt`, { cause: error });
      // The other daemon may be there: the monolithic one, or the one of this driver.
      if (code !== 'ENOENT' && code !== 'ECONNREFUSED' && code !== 'ENOTDIR') throw error;
      last = error;
    }
  }
  throw new ClientError('closed', `no libvirt daemon listens at ${sockets.join(' or ')}: is virtqemud or libvirtd running?`, { cause: last });
}

/**
 * What runs on the other host: libvirt's own helper where there is one, which finds the socket, else netcat (or socat) on the socket. Of a socket that
 * the URI names the helper takes no notice: it would lead to the daemon of the system.
 * The netcat of OpenBSD stays when its input has ended, unless it has -q0; others do not know that.
 */
function remoteScript({ name, sockets, isNamed }: LibvirtPlace, netcat: string | undefined, readOnly: boolean): string {
  const helper = netcat === undefined && !isNamed ? `if command -v virt-ssh-helper >/dev/null 2>&1; then exec virt-ssh-helper ${readOnly ? '-r ' : ''}${name}; fi; ` : '';
  const carrier = netcat ?? 'nc';
  const orSocat = netcat === undefined ? 'command -v nc >/dev/null 2>&1 || exec socat - UNIX-CONNECT:$s; ' : '';
  return `sh -c '${helper}q=; if ${carrier} -q </dev/null 2>&1 | grep -q "requires an argument"; then q=-q0; fi; for s in ${sockets.join(' ')}; do if test -S $s; then ${orSocat}exec ${carrier} $q -U $s; fi; done; echo no libvirt socket at ${sockets.join(' or ')} >&2; exit 1'`;
}

function throughSsh({ host, user, port, command = 'ssh', keyFile, netcat }: SshPlace, place: LibvirtPlace, readOnly: boolean): LibvirtStream {
  const words = [
    '-T', '-e', 'none',
    ...(port === undefined ? [] : ['-p', port]),
    ...(user === undefined ? [] : ['-l', user]),
    ...(keyFile === undefined ? [] : ['-i', keyFile]),
    '--', host, remoteScript(place, netcat, readOnly),
  ];
  const child = spawn(command, words, { stdio: ['pipe', 'pipe', 'pipe'] });
  let said = '';
  const stream: Duplex = new Duplex({
    read: () => void child.stdout.resume(),
    write: (chunk: Buffer, _encoding, done) => void child.stdin.write(chunk, () => done()),
    final: (done) => {
      child.stdin.end();
      done();
    },
    destroy: (error, done) => {
      child.kill();
      done(error);
    },
  });
  child.stdout.on('data', (chunk: Buffer) => {
    if (!stream.push(chunk)) child.stdout.pause();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(0, MOST_SAID);
  });
  child.stdin.on('error', () => undefined);
  child.once('error', (error: NodeJS.ErrnoException) => void stream.destroy(new ClientError('closed', error.code === 'ENOENT' ? `there is no program ${command}` : `${command} cannot be run: ${error.code ?? error.message}`)));
  // Not when its output ends: what it has to say of that may still be under way.
  child.once('close', () => void stream.push(null));
  return { stream, describe: () => said.trim() };
}
