import { accessSync, constants, readdirSync, statSync, type Stats } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../../core/errors/agent-error.ts';
import type { Finding } from '../../core/ports/index.ts';
import { deviceHolder } from './device-holder.ts';
import { parseVsockAddress } from '../vsock-address.ts';

/** Links that udev makes, one for each named port. */
const portDirectory = '/dev/virtio-ports';

type Verdict = readonly [verdict: Finding['verdict'], detail: string, remedy?: string];

/**
 * Whether a channel of Linux could be opened, without opening it: the host would take the opening of a port for an agent that
 * comes and goes.
 */
export function examineChannel(method: string, path: string): readonly Finding[] {
  const [verdict, detail, remedy] = look(method, path);
  return [{ subject: 'channel', verdict, detail: `${method} ${path}: ${detail}`, ...(remedy === undefined ? {} : { remedy }) }];
}

function look(method: string, path: string): Verdict {
  switch (method) {
    case 'virtio-serial':
      return lookAtDevice(path, `add the port on the host; ${otherPorts()}`);
    case 'isa-serial':
      return lookAtDevice(path, 'add a serial port on the host, or name another one with `path`');
    case 'unix-listen':
      return lookAtSocket(path);
    case 'vsock-listen':
      return lookAtVsock(path);
    default:
      return ['bad', 'there is no such method'];
  }
}

function lookAtDevice(path: string, whereMissing: string): Verdict {
  const found = tryStat(path);
  if (typeof found === 'string') return ['bad', found, whereMissing];
  if (!found.isCharacterDevice()) return ['bad', 'it is no character device', 'correct `path`; for a socket the method is unix-listen'];
  const holder = deviceHolder(path);
  if (holder !== undefined) {
    return holder.includes('concierge')
      ? ['good', `${holder} has it open`]
      : ['warning', `${holder} has it open, and only one agent can`, 'stop that one, where it is not this agent under another name'];
  }
  if (!mayUse(path)) return ['bad', 'it may not be opened by this user', 'run the agent as root'];
  return ['good', 'it is there, and nobody has it open'];
}

function lookAtSocket(path: string): Verdict {
  const found = tryStat(path);
  if (typeof found !== 'string') {
    return found.isSocket()
      ? ['good', 'a socket is there, of an agent that runs or of one that is gone']
      : ['bad', 'something is there that is no socket', 'remove it, or choose another `path`'];
  }
  const directory = dirname(path);
  if (typeof tryStat(directory) === 'string') return ['bad', `there is no directory ${directory}`, `mkdir -p ${directory}`];
  return mayUse(directory) ? ['good', 'the socket can be made'] : ['bad', `${directory} may not be written to by this user`, 'run the agent as root, or choose another `path`'];
}

function lookAtVsock(address: string): Verdict {
  try {
    parseVsockAddress(address);
  } catch (error) {
    return ['bad', messageOf(error), 'write it CID:PORT, with 4294967295 for any CID of this machine'];
  }
  if (typeof tryStat('/dev/vsock') === 'string') return ['bad', 'this machine has no vsock', 'add a vsock device on the host; modprobe vmw_vsock_virtio_transport'];
  return ['good', 'the machine has vsock'];
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

function mayUse(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
