// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, fstatSync, openSync, readdirSync } from 'node:fs';
import { AgentError, withContext } from '../../../core/errors/agent-error.ts';
import { isPosixCode, posixError, type PosixCode } from '../../../core/errors/posix-errno.ts';
import { deviceHolder } from './device-holder.ts';

/** What can be done about a failure, behind the system's own sentence. */
type Hints = Partial<Record<PosixCode, string | ((path: string) => string | undefined)>>;

/** Hints that hold for every serial device. */
export const deviceHints: Hints = {
  EBUSY: (path) => {
    const holder = deviceHolder(path);
    return `${holder ?? 'another process'} has it open: only one agent can, stop the other`;
  },
  EACCES: 'the agent must run as root, or be given the device',
  EPERM: 'the agent must run as root, or be given the device',
};

/**
 * Opens a character device for reading and writing without waiting and without it becoming the controlling terminal.
 *
 * @throws os error `error opening channel 'PATH': STRERROR`, in qemu-ga's words, with a hint in brackets where there
 * is one; failed error when it is a file or a directory
 */
export function openDevice(path: string, hints: Hints = deviceHints): number {
  const fd = open(path, hints);
  // libuv has added O_CLOEXEC.
  const why = whyNot(fd);
  if (why === undefined) return fd;
  closeSync(fd);
  throw AgentError.failed(`error opening channel '${path}': ${why}`);
}

/** Their major number (Documentation/admin-guide/devices.txt of Linux). */
const MEMORY_DEVICES = 1;

/** Serial lines may be opened twice, and a device may have many names: a host of one channel would have the profile of another, by turns. */
function whyNot(fd: number): string | undefined {
  const { rdev, ...status } = facts(fd);
  if (!status.isDevice) return 'it is no character device';
  // /dev/null and the like are everybody's.
  if (rdev >> 8 === MEMORY_DEVICES) return undefined;
  return ownDescriptors().some((other) => other > 2 && other !== fd && isDevice(other, rdev)) ? 'another channel of this agent is this device: give one of them another path' : undefined;
}

function facts(fd: number): { readonly rdev: number; readonly isDevice: boolean } {
  const status = fstatSync(fd);
  return { rdev: status.rdev, isDevice: status.isCharacterDevice() };
}

/** None where /proc is not mounted. */
function ownDescriptors(): readonly number[] {
  try {
    return readdirSync('/proc/self/fd').map(Number);
  } catch {
    return [];
  }
}

/** The descriptor with which they are listed is closed by now, and others may be. */
function isDevice(fd: number, rdev: number): boolean {
  try {
    const one = facts(fd);
    return one.isDevice && one.rdev === rdev;
  } catch {
    return false;
  }
}

function open(path: string, hints: Hints): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!isPosixCode(code)) throw withContext(`error opening channel '${path}'`, error);
    const hint = hints[code];
    const text = typeof hint === 'function' ? hint(path) : hint;
    const failure = withContext(`error opening channel '${path}'`, posixError(code, { syscall: 'open', path }));
    throw text === undefined || failure.os === undefined ? failure : new AgentError('os', `${failure.message} (${text})`, { os: failure.os, cause: error });
  }
}
