// SPDX-License-Identifier: Apache-2.0
import { homedir } from 'node:os';
import { join } from 'node:path';

import { ClientError } from '../client-error.ts';

/** Where a daemon is, and what it is asked for. */
export interface LibvirtPlace {
  /** What the daemon is told to open: without the way to it. */
  readonly name: string;
  /** Sockets, the first that is there is taken. */
  readonly sockets: readonly string[];
  /** The URI names the socket: no other is meant. */
  readonly isNamed: boolean;
  /** Absent: on this host. */
  readonly ssh?: SshPlace;
}

export interface SshPlace {
  readonly host: string;
  readonly user?: string;
  readonly port?: string;
  /** The program instead of `ssh`. */
  readonly command?: string;
  readonly keyFile?: string;
  /** The program there instead of `nc`. */
  readonly netcat?: string;
}

export interface UriSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const known = new Set(['socket', 'command', 'keyfile', 'netcat', 'mode', 'proxy']);

const wrong = (uri: string, why: string): ClientError => new ClientError('misused', `the libvirt URI ${uri}: ${why}`);

/**
 * Reads a connection URI as libvirt documents them: `qemu:///system`, `qemu:///session`, `qemu+unix:///system?socket=PATH`,
 * `qemu+ssh://USER@HOST:PORT/system?keyfile=…&netcat=…&socket=…`.
 *
 * @throws ClientError `misused` for what it cannot reach, saying why
 */
export function libvirtPlace(uri: string, readOnly: boolean, { environment }: UriSurroundings = { environment: process.env }): LibvirtPlace {
  const [, driver, transport, authority = '', path, query = ''] = /^([a-z]+)(?:\+([a-z0-9]+))?:\/\/([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?$/i.exec(uri) ?? [];
  if (driver === undefined || path === undefined) throw wrong(uri, 'it has the form qemu:///system or qemu+ssh://HOST/system');
  const parameters = new URLSearchParams(query);
  for (const key of parameters.keys()) if (!known.has(key)) throw wrong(uri, `there is no parameter '${key}': there are ${[...known].join(', ')}`);
  const name = `${driver}://${path}`;
  const socket = parameters.get('socket');
  const isRemote = transport !== undefined && transport !== 'unix';
  if (isRemote && transport !== 'ssh') throw wrong(uri, `the transport ${transport} is not supported: use ${driver}+ssh://${authority === '' ? 'HOST' : authority}${path}`);
  if (!isRemote && authority !== '') throw wrong(uri, `for another host write ${driver}+ssh://${authority}${path}`);
  if (isRemote && authority === '') throw wrong(uri, 'it lacks the host');
  const suffix = readOnly ? '-sock-ro' : '-sock';
  const directory = path === '/session' && !isRemote ? sessionDirectory(environment) : '/run/libvirt';
  const sockets = socket === null ? [join(directory, `virt${driver.toLowerCase()}d${suffix}`), join(directory, `libvirt${suffix}`)] : [socket];
  const isNamed = socket !== null;
  if (!isRemote) return { name, sockets, isNamed };
  const [, user, host = '', port] = /^(?:(.+)@)?(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(authority) ?? [];
  if (!/^(\[[\da-f:.%][\w:.%-]*\]|[^-[\]].*)$/i.test(host)) throw wrong(uri, `'${authority}' is no host`);
  const shellWords = [...sockets, parameters.get('netcat') ?? '', name];
  // These become words of a script that a shell of the other host reads.
  for (const word of shellWords) if (!/^[\w./:@%+,-]*$/.test(word)) throw wrong(uri, `'${word}' cannot be passed on to another host`);
  const optional = (key: string, value: string | null | undefined): object => (value === null || value === undefined ? {} : { [key]: value });
  return {
    name, sockets, isNamed,
    ssh: {
      host: host.replace(/^\[(.*)\]$/, '$1'),
      ...optional('user', user === undefined ? undefined : decoded(user, uri)), ...optional('port', port),
      ...optional('command', parameters.get('command')), ...optional('keyFile', parameters.get('keyfile')), ...optional('netcat', parameters.get('netcat')),
    },
  };
}

function decoded(text: string, uri: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw wrong(uri, `'${text}' has a % that stands for no byte`);
  }
}

/** As libvirt has it: of the login, or of the home directory where there is none. */
function sessionDirectory(environment: UriSurroundings['environment']): string {
  const runtime = environment['XDG_RUNTIME_DIR'];
  if (runtime !== undefined && runtime !== '') return join(runtime, 'libvirt');
  return join(environment['XDG_CACHE_HOME'] ?? join(environment['HOME'] ?? homedir(), '.cache'), 'libvirt');
}
