// SPDX-License-Identifier: Apache-2.0
import { differences } from '../differences.ts';
import { farFrom, type Deviation } from './closeness.ts';

/** Everything that changes nothing. */
export const readOnly = [
  'guest-ping', 'guest-info', 'guest-get-time', 'guest-network-get-interfaces', 'guest-network-get-route', 'guest-get-vcpus', 'guest-get-disks',
  'guest-get-fsinfo', 'guest-get-memory-blocks', 'guest-get-memory-block-info', 'guest-get-host-name', 'guest-get-users', 'guest-get-timezone',
  'guest-get-osinfo', 'guest-get-devices', 'guest-get-diskstats', 'guest-get-cpustats', 'guest-get-load', 'guest-fsfreeze-status',
] as const;

export type Answer = { readonly return?: unknown; readonly error?: { readonly class: string; readonly desc: string } };
export type Ask = (execute: string) => Promise<Answer>;

const sameStructure = (one: Answer, two: Answer): boolean => JSON.stringify(one).replace(/\d+/g, '0') === JSON.stringify(two).replace(/\d+/g, '0');

/**
 * Where our answer is not what the agent beside says just before and just after, and the table of differences does not say
 * so. @param hasVirtioScsi the reference is known to be wrong about every disk where there is such a controller
 * @param isNewest nothing is explained by a release that is older
 */
export async function unlisted(execute: string, { ours, reference, hasVirtioScsi, isNewest }: { ours: Ask; reference: Ask; hasVirtioScsi: boolean; isNewest: boolean }): Promise<Deviation[]> {
  // The machine may change in between: other programs mount and unmount.
  for (let attempt = 1; ; attempt += 1) {
    const before = await reference(execute);
    const own = await ours(execute);
    const after = await reference(execute);
    if (attempt < 5 && !sameStructure(before, after)) continue;
    return farFrom(own as never, before as never, after as never).filter(({ place }) => !isListed(execute, place, { hasVirtioScsi, isNewest }));
  }
}

function isListed(execute: string, place: string, { hasVirtioScsi, isNewest }: { hasVirtioScsi: boolean; isNewest: boolean }): boolean {
  const difference = differences[`differential/${execute} ${place}`];
  return difference !== undefined && (difference.row !== 'virtio-scsi-address' || hasVirtioScsi) && (difference.row !== 'newer-release' || !isNewest);
}
