// SPDX-License-Identifier: Apache-2.0
import { readdir } from 'node:fs/promises';
import { constants } from 'node:fs';
import { dirname, join } from 'node:path';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { posixErrorOf, posixNumber } from '../../../core/errors/posix-errno.ts';
import type { Hook, HookOutcome, HookPhase, Hooks } from '../../../core/ports/hooks.ts';
import type { Processes } from '../../../core/ports/processes.ts';
import { closeWalk, throughDescriptor, walkPathAside, type PathWalk } from '../../shared/trust/path-walk.ts';
import { agentUser, whyDistrusted } from '../../shared/trust/rule.ts';
import { helperOutcome, notExecuted } from './helper-program.ts';
import { failedBecause } from '../kernel-files.ts';
import { processes as systemProcesses } from './processes.ts';

export interface LinuxHooksOptions {
  /** The one script of `-F`; searched in PATH where it has no slash. */
  readonly script?: string;
  /** A directory of hooks; '' for none. */
  readonly directory: string;
  /** For each run of a hook, in milliseconds; 0: for ever. */
  readonly timeLimitMs: number;
  readonly processes?: Processes;
}

/** More than this in one directory is a directory of something else. */
const mostHooks = 128;

/** What editors and package managers leave behind, and samples: as the hook that comes with QEMU passes over them. */
const passedOver = [
  '~', '.bak', '.orig', '.rpmnew', '.rpmorig', '.rpmsave', '.sample', '.dpkg-old', '.dpkg-new', '.dpkg-tmp', '.dpkg-dist',
  '.dpkg-bak', '.dpkg-backup', '.dpkg-remove',
];

/** A hook with this ending is asked and told, but its failure is only logged. */
const noVeto = '.optional';

/** The hooks of this machine: one script, and a directory of them. Both are looked for anew at each freeze. */
export function linuxHooks(options: LinuxHooksOptions): Hooks {
  return {
    list: async () => [...(await configuredScript(options)), ...(await hooksIn(options.directory, options))],
  };
}

/**
 * The script of `-F`. Where it is missing, its directory `fsfreeze-hook.d` takes its place; where it is there, it is
 * taken to run that directory itself, as the one that comes with QEMU does.
 */
async function configuredScript(options: LinuxHooksOptions): Promise<Hook[]> {
  const { script } = options;
  if (script === undefined || script === '') return [];
  const path = script.includes('/') ? script : await foundInPath(script);
  if (path === undefined) return [{ name: script, canVeto: true, run: async (phase) => missing(script, phase) }];
  const own: Hook = { name: script, canVeto: true, run: (phase) => runScript(path, script, phase, options) };
  return looking(path, async (walk) => {
    if (script.includes('/') && isAbsent(walk, script)) {
      const beside = await hooksIn(join(dirname(script), 'fsfreeze-hook.d'), options);
      if (beside.length > 0) return beside;
    }
    return [{ ...own, ...refusal(walk) }];
  });
}

/** The first one, as execvp(3) takes it: where it lies is judged like everything else. */
async function foundInPath(script: string): Promise<string | undefined> {
  for (const directory of (process.env['PATH'] ?? '/bin:/usr/bin').split(':')) {
    const path = `${directory === '' ? '.' : directory}/${script}`;
    if (await looking(path, async (walk) => isExecutable(walk))) return path;
  }
  return undefined;
}

async function hooksIn(directory: string, options: LinuxHooksOptions): Promise<Hook[]> {
  if (directory === '') return [];
  return looking(directory, async (walk) => {
    if (isAbsent(walk, directory)) return [];
    const names = (await namesIn(walk, directory)).filter((name) => !name.startsWith('.') && !passedOver.some((ending) => name.endsWith(ending)));
    if (names.length > mostHooks) throw AgentError.failed(`${directory} holds more than ${mostHooks} freeze hooks`);
    const unsafe = refusal(walk);
    const hooks = await Promise.all(names.map((name) => hookAt(join(directory, name), unsafe, options)));
    return hooks.flat();
  });
}

const hookAt = (path: string, unsafe: Pick<Hook, 'refused'>, options: LinuxHooksOptions): Promise<Hook[]> =>
  looking(path, async (walk): Promise<Hook[]> => {
    // Not executable: switched off.
    if (isAbsent(walk, path) || !isExecutable(walk)) return [];
    return [{
      name: path,
      ...refusal(walk),
      ...unsafe,
      canVeto: !path.endsWith(noVeto),
      run: (phase) => run(path, path, phase, `execute fsfreeze hook ${path}`, options),
    }];
  });

/** Goes the way to a path, and lets go of it when it has been looked at. */
async function looking<T>(path: string, look: (walk: PathWalk) => Promise<T>): Promise<T> {
  const walk = await walkPathAside(path);
  try {
    return await look(walk);
  } finally {
    closeWalk(walk);
  }
}

const absent: ReadonlySet<number> = new Set((['ENOENT', 'ENOTDIR', 'ELOOP'] as const).map(posixNumber));

/** @throws failed error where that cannot be told, for want of descriptors or rights: a freeze without its hooks is none */
function isAbsent({ errno }: PathWalk, path: string): boolean {
  if (errno === 0 || absent.has(errno)) return errno !== 0;
  throw failedBecause(`failed to look at the freeze hook ${path}`, posixErrorOf(errno));
}

function isExecutable({ errno, steps }: PathWalk): boolean {
  const mode = steps.at(-1)?.mode ?? 0;
  return errno === 0 && (mode & constants.S_IFMT) === constants.S_IFREG && (mode & 0o111) !== 0;
}

/** Who may write to a hook, or to a directory above it, may run anything as the agent. */
function refusal({ steps, errno }: PathWalk): Pick<Hook, 'refused'> {
  const refused = whyDistrusted(steps, agentUser(), { passed: errno !== 0 });
  return refused === undefined ? {} : { refused };
}

/** The script knows two words and has no part in `freezefail`. */
const runScript = async (path: string, script: string, phase: HookPhase, options: LinuxHooksOptions): Promise<HookOutcome> =>
  phase === 'freezefail' ? { ok: true, output: '', durationNs: 0n } : run(path, script, phase, 'execute fsfreeze hook', options);

const missing = (script: string, phase: HookPhase): HookOutcome =>
  phase === 'freezefail'
    ? { ok: true, output: '', durationNs: 0n }
    : { ok: false, output: '', error: notExecuted('execute fsfreeze hook', script, posixErrorOf(posixNumber('ENOENT')).message), durationNs: 0n };

/** The way is gone again and judged again: what is executed is in the very directory that was found to be safe. */
async function run(path: string, name: string, phase: HookPhase, action: string, options: LinuxHooksOptions): Promise<HookOutcome> {
  const start = process.hrtime.bigint();
  const { output, error } = await looking(path, async (walk) => {
    const { refused } = refusal(walk);
    if (refused !== undefined) return { output: '', error: `child process has failed to ${action}: ${refused}` };
    // Not started by its path to be told so: by then somebody may have put something there.
    if (walk.errno !== 0) return { output: '', error: notExecuted(action, name, posixErrorOf(walk.errno).message) };
    const held = { directory: walk.namedIn, name: walk.named };
    const helper = { program: name, held, arguments: [phase], action, timeLimitMs: options.timeLimitMs };
    return helperOutcome(helper, options.processes ?? systemProcesses);
  });
  return { ok: error === undefined, output, ...(error !== undefined && { error }), durationNs: process.hrtime.bigint() - start };
}

/** In the order of their bytes, whatever the locale. */
async function namesIn(walk: PathWalk, directory: string): Promise<string[]> {
  try {
    const names = await readdir(throughDescriptor(walk.place, directory));
    return names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  } catch (error) {
    throw failedBecause(`failed to list the freeze hooks in ${directory}`, error);
  }
}
