// SPDX-License-Identifier: Apache-2.0
import { readdir } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { posixErrorOf, posixNumber } from '../../../core/errors/posix-errno.ts';
import type { HookOutcome } from '../../../core/ports/hooks.ts';
import type { Processes } from '../../../core/ports/processes.ts';
import { closeWalk, throughDescriptor, walkPathAside, type PathWalk } from '../../shared/trust/path-walk.ts';
import { agentUser, whyDistrusted } from '../../shared/trust/rule.ts';
import { helperOutcome, notExecuted } from './helper-program.ts';
import { failedBecause } from '../kernel-files.ts';
import { processes as systemProcesses } from './processes.ts';

/** More than this in one directory is a directory of something else. */
const mostHooks = 128;

/** What editors and package managers leave behind, and samples: as the hook that comes with QEMU passes over them. */
const passedOver = [
  '~', '.bak', '.orig', '.rpmnew', '.rpmorig', '.rpmsave', '.sample', '.dpkg-old', '.dpkg-new', '.dpkg-tmp', '.dpkg-dist',
  '.dpkg-bak', '.dpkg-backup', '.dpkg-remove',
];

/** A program of the administrator. */
export interface HookProgram {
  readonly path: string;
  readonly refused?: string;
}

/**
 * The programs in a directory, in the order of their names; none where it is not there. `kind`: `freeze hook`, for errors.
 * @throws failed error where that cannot be told
 */
export async function programsIn(directory: string, kind: string): Promise<HookProgram[]> {
  if (directory === '') return [];
  return looking(directory, async (walk) => {
    if (isAbsent(walk, directory, kind)) return [];
    const names = (await namesIn(walk, directory, kind)).filter((name) => !name.startsWith('.') && !passedOver.some((ending) => name.endsWith(ending)));
    if (names.length > mostHooks) throw AgentError.failed(`${directory} holds more than ${mostHooks} ${kind}s`);
    const unsafe = refusal(walk);
    const hooks = await Promise.all(names.map((name) => programAt(join(directory, name), unsafe, kind)));
    return hooks.flat();
  });
}

const programAt = (path: string, unsafe: Pick<HookProgram, 'refused'>, kind: string): Promise<HookProgram[]> =>
  // Not executable: switched off.
  looking(path, async (walk) => (isAbsent(walk, path, kind) || !isExecutable(walk) ? [] : [{ path, ...refusal(walk), ...unsafe }]));

/** Goes the way to a path, and lets go of it when it has been looked at. */
export async function looking<T>(path: string, look: (walk: PathWalk) => Promise<T>): Promise<T> {
  const walk = await walkPathAside(path);
  try {
    return await look(walk);
  } finally {
    closeWalk(walk);
  }
}

const absent: ReadonlySet<number> = new Set((['ENOENT', 'ENOTDIR', 'ELOOP'] as const).map(posixNumber));

/** @throws failed error where that cannot be told, for want of descriptors or rights: a freeze without its hooks is none */
export function isAbsent({ errno }: PathWalk, path: string, kind: string): boolean {
  if (errno === 0 || absent.has(errno)) return errno !== 0;
  throw failedBecause(`failed to look at the ${kind} ${path}`, posixErrorOf(errno));
}

export function isExecutable({ errno, steps }: PathWalk): boolean {
  const mode = steps.at(-1)?.mode ?? 0;
  return errno === 0 && (mode & constants.S_IFMT) === constants.S_IFREG && (mode & 0o111) !== 0;
}

/** Who may write to a hook, or to a directory above it, may run anything as the agent. */
export function refusal({ steps, errno }: PathWalk): Pick<HookProgram, 'refused'> {
  const refused = whyDistrusted(steps, agentUser(), { passed: errno !== 0 });
  return refused === undefined ? {} : { refused };
}

export interface HookRun {
  readonly path: string;
  /** As it is called in errors. */
  readonly name: string;
  readonly arguments: readonly string[];
  /** What it is run for, as errors say it. */
  readonly action: string;
  /** Beside the agent's own. */
  readonly environment?: readonly string[];
  /** In milliseconds; 0: for ever. */
  readonly timeLimitMs: number;
  readonly processes?: Processes | undefined;
}

/** The way is gone again and judged again: what is executed is in the very directory that was found to be safe. Never rejects. */
export async function runHook({ path, name, action, processes = systemProcesses, ...rest }: HookRun): Promise<HookOutcome> {
  const start = process.hrtime.bigint();
  const { output, error } = await looking(path, async (walk) => {
    const { refused } = refusal(walk);
    if (refused !== undefined) return { output: '', error: `child process has failed to ${action}: ${refused}` };
    // Not started by its path to be told so: by then somebody may have put something there.
    if (walk.errno !== 0) return { output: '', error: notExecuted(action, name, posixErrorOf(walk.errno).message) };
    const held = { directory: walk.namedIn, name: walk.named };
    return helperOutcome({ program: name, held, action, ...rest }, processes);
  });
  return { ok: error === undefined, output, ...(error !== undefined && { error }), durationNs: process.hrtime.bigint() - start };
}

/** In the order of their bytes, whatever the locale. */
async function namesIn(walk: PathWalk, directory: string, kind: string): Promise<string[]> {
  try {
    const names = await readdir(throughDescriptor(walk.place, directory));
    return names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  } catch (error) {
    throw failedBecause(`failed to list the ${kind}s in ${directory}`, error);
  }
}
