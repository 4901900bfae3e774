// SPDX-License-Identifier: Apache-2.0
import { closeSync, existsSync, lstatSync, readFileSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';

import { nativeAddon, type NativeAddon } from '../../linux/native.ts';

/** One directory, link or last component on the way to a place, as it was when the way led through it. */
export interface PathStep {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  /** With the type (`S_IFMT`). */
  readonly mode: number;
  /** How many hard links there are. */
  readonly names: number;
  /** An access list (acl(5)) gives the rights of the group's bits to whomever it names. */
  readonly accessList: boolean;
  /** `MAJOR:MINOR` where it lies in a file system of FUSE. */
  readonly fuse?: string;
}

/** A path that was followed one component at a time, each opened relative to the one before it. */
export interface PathWalk {
  readonly steps: readonly PathStep[];
  /** What is not there: a name in `directory`, and those behind it. */
  readonly missing: readonly string[];
  /** The last component's name in `directory`; '' where the path ends in the directory itself. */
  readonly name: string;
  /** What stopped the walk, 0 where it came to its end. */
  readonly errno: number;
  /** The last component of the path itself, before it is followed as a link: what a program is called by. */
  readonly named: string;
  /** Descriptors of O_PATH, the caller's to close; −1 where there is none. `namedIn` is the directory of `named`. */
  readonly directory: number;
  readonly namedIn: number;
  readonly place: number;
}

interface WalkAddon extends NativeAddon {
  walkPath(path: string): PathWalk;
  /** Off the event loop: the path may lie on a disk that hangs. */
  walkPathAside(path: string): Promise<PathWalk>;
}

const absolute = (path: string): string => (isAbsolute(path) ? path : `${process.cwd()}/${path}`);

const addon = (): WalkAddon | undefined => {
  if (process.platform !== 'linux') return undefined;
  try {
    return nativeAddon() as WalkAddon;
  } catch {
    // Told by whoever cannot do without it.
    return undefined;
  }
};

/** Follows a path from the root, whatever the working directory is: what lies above it counts as well. */
export function walkPath(path: string): PathWalk {
  const walk = addon()?.walkPath(absolute(path));
  return walk === undefined ? walkByName(absolute(path)) : ofMounters(walk);
}

/** The same off the event loop, for when a disk may hang. */
export async function walkPathAside(path: string): Promise<PathWalk> {
  const walk = await addon()?.walkPathAside(absolute(path));
  return walk === undefined ? walkByName(absolute(path)) : ofMounters(walk);
}

/**
 * A user may mount a file system of FUSE over a directory of their own, and its program says whose the files are: whatever it
 * says, they are the user's who has mounted it (`user_id` in mountinfo; what root mounts, virtiofs among it, says nothing).
 */
function ofMounters(walk: PathWalk): PathWalk {
  if (walk.steps.every(({ fuse }) => fuse === undefined)) return walk;
  const mounts = readFileSync('/proc/self/mountinfo', 'latin1').split('\n').map((line) => line.split(' '));
  const mounter = (device: string): number => {
    const options = mounts.find((fields) => fields[2] === device)?.at(-1);
    // Unmounted meanwhile: nobody can tell any more.
    if (options === undefined) return nobody;
    return Number(/(?:^|,)user_id=(\d+)/.exec(options)?.[1] ?? 0);
  };
  const steps = walk.steps.map((one) => {
    const uid = one.fuse === undefined ? 0 : mounter(one.fuse);
    return uid === 0 ? one : { ...one, uid };
  });
  return { ...walk, steps };
}

/** The overflow user of user_namespaces(7). */
const nobody = 65534;

/** A path to what a descriptor is of, which no renaming changes; the path itself where there is no descriptor, or no /proc. */
export function throughDescriptor(descriptor: number | undefined, path: string): string {
  if (descriptor === undefined || descriptor < 0 || process.platform !== 'linux') return path;
  hasProc ??= existsSync('/proc/self/fd');
  return hasProc ? `/proc/self/fd/${descriptor}` : path;
}

let hasProc: boolean | undefined;

export function closeWalk({ directory, namedIn, place }: PathWalk): void {
  for (const descriptor of [directory, namedIn, place]) if (descriptor >= 0) closeSync(descriptor);
}

/** MAXSYMLINKS of path_resolution(7). */
const mostLinks = 40;

/** Without descriptors, for systems other than Linux: what is seen is what was there a moment ago. */
function walkByName(path: string): PathWalk {
  const steps: PathStep[] = [];
  let left = components(path);
  let at = '/';
  let links = 0;
  const ended = (errno: number): PathWalk => ({ steps, missing: errno === 0 ? [] : left, name: '', named: '', errno, directory: -1, namedIn: -1, place: -1 });
  try {
    steps.push(step('/', lstatSync('/')));
    while (left.length > 0) {
      const [name = '', ...rest] = left;
      const there = name === '..' ? dirname(at) : join(at, name);
      const status = lstatSync(there);
      steps.push(step(there, status));
      if (status.isSymbolicLink()) {
        links += 1;
        if (links > mostLinks) return ended(40);
        const target = readlinkSync(there);
        if (isAbsolute(target)) at = '/';
        left = [...components(target), ...rest];
      } else {
        at = there;
        left = rest;
      }
    }
    return ended(0);
  } catch (error) {
    return ended(Math.abs((error as NodeJS.ErrnoException).errno ?? 5));
  }
}

const components = (path: string): readonly string[] => path.split('/').filter((name) => name !== '' && name !== '.');

const step = (path: string, { uid, gid, mode, nlink }: Stats): PathStep => ({ path, uid, gid, mode, names: nlink, accessList: false });
