// SPDX-License-Identifier: Apache-2.0
import { dirname, join } from 'node:path';

import { posixErrorOf, posixNumber } from '../../../core/errors/posix-errno.ts';
import type { Hook, HookOutcome, HookPhase, Hooks } from '../../../core/ports/hooks.ts';
import type { Processes } from '../../../core/ports/processes.ts';
import { isAbsent, isExecutable, looking, programsIn, refusal, runHook } from './hook-directory.ts';
import { notExecuted } from './helper-program.ts';

export interface LinuxHooksOptions {
  /** The one script of `-F`; searched in PATH where it has no slash. */
  readonly script?: string;
  /** A directory of hooks; '' for none. */
  readonly directory: string;
  /** For each run of a hook, in milliseconds; 0: for ever. */
  readonly timeLimitMs: number;
  readonly processes?: Processes;
}

const kind = 'freeze hook';

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
    if (script.includes('/') && isAbsent(walk, script, kind)) {
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
  const programs = await programsIn(directory, kind);
  return programs.map(({ path, ...rest }) => ({
    name: path,
    ...rest,
    canVeto: !path.endsWith(noVeto),
    run: (phase) => run(path, path, phase, `execute fsfreeze hook ${path}`, options),
  }));
}

/** The script knows two words and has no part in `freezefail`. */
const runScript = async (path: string, script: string, phase: HookPhase, options: LinuxHooksOptions): Promise<HookOutcome> =>
  phase === 'freezefail' ? { ok: true, output: '', durationNs: 0n } : run(path, script, phase, 'execute fsfreeze hook', options);

const missing = (script: string, phase: HookPhase): HookOutcome =>
  phase === 'freezefail'
    ? { ok: true, output: '', durationNs: 0n }
    : { ok: false, output: '', error: notExecuted('execute fsfreeze hook', script, posixErrorOf(posixNumber('ENOENT')).message), durationNs: 0n };

const run = (path: string, name: string, phase: HookPhase, action: string, { timeLimitMs, processes }: LinuxHooksOptions): Promise<HookOutcome> =>
  runHook({ path, name, arguments: [phase], action, timeLimitMs, processes });
