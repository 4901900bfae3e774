// SPDX-License-Identifier: Apache-2.0
import type { FrozenTarget, ThawOutcome } from '../../../core/ports/freezing.ts';
import { mountPath, statBlockDevice } from '../block/mounts.ts';
import { suspendedDevices } from '../block/suspended.ts';
import { attribute, keyValueLines } from '../kernel-files.ts';
import { blockDeviceOf, type MountedFileSystem } from './freeze-survey.ts';
import { thawOutcome } from './thaw-outcome.ts';

export const hex = (path: string | Buffer): string => Buffer.from(path as string).toString('hex');

/** What is asked of a guardian to thaw one, or what comes of it without. */
export type Step = AskedStep | ThawOutcome;

export interface AskedStep {
  readonly target: FrozenTarget;
  readonly line: string;
  readonly outcome: (error: number, thawedAt: bigint) => ThawOutcome;
}

export const isAsked = (step: Step): step is AskedStep => 'line' in step;

/** For file systems that may be frozen by this agent or one before. */
export function stepsFor(root: string, mounted: readonly MountedFileSystem[], targets: readonly FrozenTarget[]): readonly Step[] {
  const found = new Map(mounted.map((one) => [one.id, one]));
  const suspended = suspendedDevices(root);
  return targets.map((target) => stepFor(root, target, found.get(target.id), suspended, false));
}

/**
 * For what may have been frozen by others: of what would be frozen, all but what the caller has thawed itself, and every
 * gfs2, which kernels up to 6.1 do not survive a FITHAW on while it is not frozen.
 */
export function stepsForOthers(root: string, mounted: readonly MountedFileSystem[], except?: ReadonlySet<string>): readonly Step[] {
  const suspended = suspendedDevices(root);
  return mounted
    .filter(({ id, leftOut, mounts: [{ fsType }] }) => leftOut === undefined && fsType !== 'gfs2' && except?.has(id) !== true)
    .map((found) => stepFor(root, { id: found.id, mountPoint: found.mounts[0].mountPoint }, found, suspended, true));
}

/**
 * The guardian is told the very mount, or the device, so that nothing else is thawed in the place of the target: what is
 * covered is uncovered where nobody else sees it, and what is mounted nowhere any more is gone only if its device is nobody's.
 */
function stepFor(root: string, target: FrozenTarget, found: MountedFileSystem | undefined, isSuspended: ReturnType<typeof suspendedDevices>, sweeping: boolean): Step {
  const { id, mountPoint } = target;
  const failed = (reason: string): ThawOutcome => ({ id, mountPoint, thawed: false, error: `failed to thaw ${mountPoint}: ${reason}` });
  const suspended = isSuspended(found === undefined ? id : blockDeviceOf(found.mounts[0], statBlockDevice(root)));
  if (suspended !== undefined) {
    return sweeping
      ? { id, mountPoint, thawed: false, leftOut: `${mountPoint} is not asked to thaw: ${suspended} is suspended, and it would hang` }
      : failed(`${suspended} is suspended (dmsetup resume)`);
  }
  const asked = (line: string, outcome: AskedStep['outcome'] = (error, at) => thawOutcome(target, error, at)): AskedStep => ({ target, line, outcome });
  if (found?.visible !== undefined) return asked(`sweep ${found.visible.mountId} ${hex(mountPath(found.visible))}`);
  if (found !== undefined) return asked(`uncover ${id} ${hex(mountPath(found.mounts[0]))}`);
  if (id.startsWith('0:')) return failed(outOfReach);
  const node = keyValueLines(attribute(`${root}/sys/dev/block/${id}/uevent`) ?? '').get('DEVNAME');
  if (node === undefined) return { id, mountPoint, thawed: false };
  return asked(`unclaimed ${hex(`/dev/${node}`)}`, (error) => (error === 0 ? { id, mountPoint, thawed: false } : failed(outOfReach)));
}

const outOfReach = 'it is mounted nowhere any more, and may be frozen still';
