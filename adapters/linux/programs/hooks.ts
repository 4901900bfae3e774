import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { AgentError } from '../../../core/errors/agent-error.ts';
import type { Hook, HookOutcome, HookPhase, Hooks } from '../../../core/ports/hooks.ts';
import type { Processes } from '../../../core/ports/processes.ts';
import { helperOutcome } from './helper-program.ts';
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
  const own: Hook = { name: script, canVeto: true, run: (phase) => runScript(script, phase, options) };
  if (!script.includes('/')) return [own];
  const status = await statusOf(script);
  if (status === undefined) {
    const beside = await hooksIn(join(dirname(script), 'fsfreeze-hook.d'), options);
    return beside.length > 0 ? beside : [own];
  }
  const refused = whyUnsafe(status, script);
  return [{ ...own, ...(refused !== undefined && { refused }) }];
}

async function hooksIn(directory: string, options: LinuxHooksOptions): Promise<Hook[]> {
  if (directory === '') return [];
  const status = await statusOf(directory);
  if (status === undefined) return [];
  const names = (await namesIn(directory)).filter((name) => !name.startsWith('.') && !passedOver.some((ending) => name.endsWith(ending)));
  if (names.length > mostHooks) throw AgentError.failed(`${directory} holds more than ${mostHooks} freeze hooks`);
  const unsafe = whyUnsafe(status, directory);
  const hooks = await Promise.all(names.map(async (name): Promise<Hook[]> => {
    const path = join(directory, name);
    const file = await statusOf(path);
    // Not executable: switched off.
    if (file === undefined || !file.isFile() || (file.mode & 0o111) === 0) return [];
    const refused = unsafe ?? whyUnsafe(file, path);
    return [{
      name: path,
      ...(refused !== undefined && { refused }),
      canVeto: !name.endsWith(noVeto),
      run: (phase) => run(path, phase, `execute fsfreeze hook ${path}`, options),
    }];
  }));
  return hooks.flat();
}

/** Who may write to a hook may run anything as the agent. */
function whyUnsafe(status: Stats, path: string): string | undefined {
  const agent = process.geteuid?.() ?? 0;
  if (status.uid !== 0 && status.uid !== agent) return `${path} belongs to user ${status.uid}, neither root nor the agent's`;
  if ((status.mode & 0o002) !== 0) return `${path} can be written by everybody`;
  // The group root is root's own.
  if ((status.mode & 0o020) !== 0 && status.gid !== 0) return `${path} can be written by the group ${status.gid}`;
  return undefined;
}

/** The script knows two words and has no part in `freezefail`. */
const runScript = async (script: string, phase: HookPhase, options: LinuxHooksOptions): Promise<HookOutcome> =>
  phase === 'freezefail' ? { ok: true, output: '', durationNs: 0n } : run(script, phase, 'execute fsfreeze hook', options);

async function run(path: string, phase: HookPhase, action: string, options: LinuxHooksOptions): Promise<HookOutcome> {
  const start = process.hrtime.bigint();
  const helper = { program: path, arguments: [phase], action, timeLimitMs: options.timeLimitMs };
  const { output, error } = await helperOutcome(helper, options.processes ?? systemProcesses);
  return { ok: error === undefined, output, ...(error !== undefined && { error }), durationNs: process.hrtime.bigint() - start };
}

async function statusOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch {
    return undefined;
  }
}

/** In the order of their bytes, whatever the locale. */
async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  } catch (error) {
    throw failedBecause(`failed to list the freeze hooks in ${directory}`, error);
  }
}
