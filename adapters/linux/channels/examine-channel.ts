// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { accessSync, constants, readdirSync, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { bad, good, warning } from '../../../core/diagnosis/finding.ts';
import { messageOf } from '../../../core/errors/agent-error.ts';
import type { Finding } from '../../../core/ports/index.ts';
import type { LinuxMethod } from '../../channels/methods.ts';
import { asRoot, obstacle } from './access.ts';
import { deviceHolder } from './device-holder.ts';
import { MAXIMUM_PATH } from './unix-listen.ts';
import { parseVsockAddress } from '../../shared/vsock-address.ts';

/** Links that udev makes, one for each named port. */
const portDirectory = '/dev/virtio-ports';
const readAndWrite = constants.R_OK | constants.W_OK;
/** VMADDR_CID_ANY of vsock(7). */
const ANY_CID = 0xff_ff_ff_ff;

/** Of a channel that the caller names. */
type Verdict = readonly [make: typeof good, detail: string, remedy?: string];

/** The name that the agent gives its process, under whatever name it was started. */
const ourName = '(concierge-ga)';

/**
 * Whether a channel of Linux could be opened, without opening it: the host would take the opening of a port for an agent that
 * comes and goes.
 */
export function examineChannel(method: LinuxMethod, path: string, access = accessSync, holderOf: typeof deviceHolder = deviceHolder): readonly Finding[] {
  const [make, detail, remedy] = look(method, path, access, holderOf);
  return [make('channel', `${method} ${path}: ${detail}`, remedy)];
}

function look(method: LinuxMethod, path: string, access: typeof accessSync, holderOf: typeof deviceHolder): Verdict {
  switch (method) {
    case 'virtio-serial':
      return lookAtDevice(path, access, holderOf, `add the port on the host; ${otherPorts()}`);
    case 'isa-serial':
      return lookAtDevice(path, access, holderOf, 'add a serial port on the host, or name another one with `path`');
    case 'unix-listen':
      return lookAtSocket(path, access);
    case 'vsock-listen':
      return lookAtVsock(path);
    default:
      return method satisfies never;
  }
}

function lookAtDevice(path: string, access: typeof accessSync, holderOf: typeof deviceHolder, whereMissing: string): Verdict {
  const found = tryStat(path);
  if (typeof found === 'string') return [bad, found, whereMissing];
  if (!found.isCharacterDevice()) return [bad, 'it is no character device', 'correct `path`; for a socket the method is unix-listen'];
  const holder = holderOf(path);
  if (holder !== undefined) {
    return holder.endsWith(ourName)
      ? [good, `${holder} has it open`]
      : [warning, `${holder} has it open, and only one agent can`, 'stop that one, where it is not this agent under another name'];
  }
  if (obstacle(path, readAndWrite, access) !== undefined) return [bad, 'it may not be opened by this user', asRoot('root is kept from it by a container’s device rules, SELinux or AppArmor: allow it there')];
  return [good, 'it is there, and nobody has it open'];
}

function lookAtSocket(path: string, access: typeof accessSync): Verdict {
  const length = Buffer.byteLength(path);
  if (length > MAXIMUM_PATH) return [bad, `a path of ${length} bytes, and a socket's has at most ${MAXIMUM_PATH}`, 'choose a shorter `path`'];
  const found = tryStat(path);
  if (typeof found !== 'string') {
    return found.isSocket()
      ? [good, 'a socket is there, of an agent that runs or of one that is gone']
      : [bad, 'something is there that is no socket', 'remove it, or choose another `path`'];
  }
  const directory = dirname(path);
  if (typeof tryStat(directory) === 'string') return [bad, `there is no directory ${directory}`, `mkdir -p ${directory}`];
  const inTheWay = obstacle(directory, readAndWrite, access);
  if (inTheWay === 'read-only') return [bad, `${directory} is on a file system that is mounted read-only`, 'choose another `path`, such as one in /run'];
  return inTheWay === undefined ? [good, 'the socket can be made'] : [bad, `${directory} may not be written to by this user`, `${asRoot('root is kept from it: see lsattr, SELinux or AppArmor')}, or choose another \`path\``];
}

function lookAtVsock(address: string): Verdict {
  let cid: number;
  try {
    ({ cid } = parseVsockAddress(address));
  } catch (error) {
    return [bad, messageOf(error), 'write it CID:PORT, with 4294967295 for any CID of this machine'];
  }
  if (typeof tryStat('/dev/vsock') === 'string') return [bad, 'this machine has no vsock', 'add a vsock device on the host; modprobe vmw_vsock_virtio_transport'];
  return [good, cid === ANY_CID ? 'the machine has vsock' : `the machine has vsock; whether CID ${cid} is its own is seen at the start`];
}

function otherPorts(): string {
  try {
    const names = readdirSync(portDirectory);
    return names.length === 0 ? `${portDirectory} is empty` : `${portDirectory} has ${names.join(', ')}`;
  } catch {
    return `there is no ${portDirectory}`;
  }
}

/** What lies there, or why that cannot be told. */
function tryStat(path: string): Stats | string {
  try {
    return statSync(path);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'it is not there' : messageOf(error);
  }
}
