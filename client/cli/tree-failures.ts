// SPDX-License-Identifier: Apache-2.0
import { nameOfSignal } from '../signal-names.ts';

/** Statuses of the script that unpacks in a guest. 2 is of a shell that does not understand it, from 126 on they are of any shell. */
export const unpacking = { isThere: 3, noFolder: 4, notUnpacked: 5, notNamed: 6 } as const;

/** Of a shell: a program ended by a signal has its number above this. */
const BY_SIGNAL = 128;

/** How tar(1) ended that was to read a folder: what it says itself was told before. */
export const whyNotRead = (path: string, where: string, status: number): string =>
  `${path} cannot be read ${where}: tar there ${status > BY_SIGNAL ? `was ended by ${nameOfSignal(status - BY_SIGNAL)}` : `gave up (status ${status})`}`;

/** Why a folder that was sent to a guest is not there. @param name the folder's own name, which it has inside of one that is there */
export function whyNotWritten(to: string, name: string, status: number): string {
  return `${to} cannot be written in the guest: ${reasonOf(name, status)}`;
}

function reasonOf(name: string, status: number): string {
  switch (status) {
    case unpacking.isThere:
      return `it is there already, or is a folder that has ${name} in it, and nothing is replaced`;
    case unpacking.noFolder:
      return 'no folder can be made where it belongs';
    case unpacking.notUnpacked:
      return 'tar there could not unpack all that came, and what it had unpacked was removed';
    case unpacking.notNamed:
      return 'all of it was unpacked, but could not be given its name, and was removed';
    default:
      return status > BY_SIGNAL ? `what unpacks there was ended by ${nameOfSignal(status - BY_SIGNAL)}` : `the shell there ended with status ${status}`;
  }
}
