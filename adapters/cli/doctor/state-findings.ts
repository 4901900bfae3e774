// SPDX-License-Identifier: Apache-2.0
import { accessSync, constants, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { bad, good, warning } from '../../../core/diagnosis/finding.ts';
import { messageOf, osCode } from '../../../core/errors/agent-error.ts';
import type { Finding } from '../../../core/ports/index.ts';
import { asRoot, obstacle } from '../../linux/channels/access.ts';
import { thisBoot } from '../../state-store/boot.ts';
import { FreezeMarkerFile } from '../../state-store/freeze-marker-file.ts';
import { StateDirectory } from '../../state-store/state-directory.ts';

/** Magic numbers of statfs(2) of what is never frozen. */
const inMemory: ReadonlySet<number> = new Set([0x0102_1994, 0x8584_58f6]);
/** A marker and a counter need little, and something has to be left. */
const leastFree = 1024 * 1024;

/** The directory that has to be writable while every disk is frozen, and what it says now. */
export function stateFindings(statedir: string, access = accessSync): readonly Finding[] {
  const directory = resolve(statedir);
  try {
    const place = new StateDirectory(directory);
    return [...placeFindings(directory, access), ...markerFindings(place)];
  } catch (error) {
    // What the agent says when it refuses to start; the remedy is in it.
    if (osCode(error) === undefined) return [bad('state directory', messageOf(error))];
    return [bad('state directory', `${directory}: ${messageOf(error)}`, 'choose another one with statedir')];
  }
}

function placeFindings(directory: string, access: typeof accessSync): readonly Finding[] {
  const there = nearest(directory);
  const inTheWay = obstacle(there, constants.W_OK, access);
  if (inTheWay === 'read-only') {
    return [bad('state directory', `${there} is on a file system that is mounted read-only`, `choose a directory of a tmpfs with statedir${suchAs(directory)}`)];
  }
  if (inTheWay === 'not-permitted') {
    return [bad('state directory', `${there} may not be written to by this user`, `${asRoot('root is kept from it: see lsattr, SELinux or AppArmor')}, or choose another one with statedir`)];
  }
  const { type, bavail, bsize } = statfsSync(there);
  if (bavail * bsize < leastFree) return [bad('state directory', `${there} is full: no freeze can be marked, and none will be made`, 'make room there')];
  if (process.platform === 'linux' && !inMemory.has(type)) {
    return [warning('state directory', `${there} is on a disk, which a freeze may freeze too`, `choose a directory of a tmpfs with statedir${suchAs(directory)}`)];
  }
  return [good('state directory', there === directory ? `${directory} can be written to` : `${directory} can be made`)];
}

/** A directory of a tmpfs that would do, where there is one: not the one that is set already. */
function suchAs(directory: string): string {
  const better = ['/run/concierge-ga', '/run/qemu-ga'].find((one) => one !== directory && isInMemory(one));
  return better === undefined ? ': mount one where none is' : `, such as ${better}`;
}

function isInMemory(directory: string): boolean {
  try {
    return inMemory.has(statfsSync(nearest(directory)).type);
  } catch {
    return false;
  }
}

function markerFindings(directory: StateDirectory): readonly Finding[] {
  const marker = new FreezeMarkerFile(directory, thisBoot(), () => {});
  if (!marker.exists) return [good('freeze', 'nothing is marked as frozen')];
  return [warning('freeze', 'file systems are marked as frozen', 'a backup may be under way; where no agent runs: concierge-ga thaw')];
}

/** The directory, or the nearest one above it that is there. */
function nearest(directory: string): string {
  try {
    statfsSync(directory);
    return directory;
  } catch (error) {
    const above = dirname(directory);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === directory) throw error;
    return nearest(above);
  }
}
