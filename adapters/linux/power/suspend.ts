// SPDX-License-Identifier: Apache-2.0
import { AgentError, osCode, withContext, messageOf } from '../../../core/errors/agent-error.ts';
import type { SuspendMode } from '../../../core/ports/power.ts';
import type { ProcessEnd, Processes } from '../../../core/ports/processes.ts';
import { nativeAddon } from '../native.ts';
import { textFromBytes } from '../text.ts';

/** A way to suspend. Asking whether it can comes first, for a failure of one that claims it can is worth telling. */
interface Strategy {
  can(): Promise<boolean>;
  suspend(): Promise<void>;
}

interface Names {
  readonly unit: string;
  readonly verb: string;
  readonly pmFlag: string;
  readonly pmProgram: string;
  /** In /sys/power/state; hybrid sleep has none. */
  readonly word?: string;
}

const names: Readonly<Record<SuspendMode, Names>> = {
  disk: { unit: 'systemd-hibernate', verb: 'hibernate', pmFlag: '--hibernate', pmProgram: 'pm-hibernate', word: 'disk' },
  ram: { unit: 'systemd-suspend', verb: 'suspend', pmFlag: '--suspend', pmProgram: 'pm-suspend', word: 'mem' },
  hybrid: { unit: 'systemd-hybrid-sleep', verb: 'hybrid-sleep', pmFlag: '--suspend-hybrid', pmProgram: 'pm-suspend-hybrid' },
};

/**
 * systemd, else pm-utils, else the kernel itself: the first that succeeds ends it. Where all that claimed to be able to
 * failed, the last failure is told (the reference may then answer nothing at all).
 *
 * @throws failed error; `the requested suspend mode is not supported by the guest` where no way exists
 */
export async function suspend(mode: SuspendMode, system: { root: string; processes: Processes }): Promise<void> {
  let failure: unknown;
  for (const strategy of strategies(names[mode], system)) {
    if (!(await strategy.can())) continue;
    try {
      await strategy.suspend();
      return;
    } catch (error) {
      failure = error;
    }
  }
  throw failure ?? AgentError.failed('the requested suspend mode is not supported by the guest');
}

function strategies({ unit, verb, pmFlag, pmProgram, word }: Names, { root, processes }: { root: string; processes: Processes }): Strategy[] {
  const stateFile = '/sys/power/state';
  const byPrograms: Strategy[] = [
    {
      // systemctl(1): 0 is running at this moment, 1 to 3 dead or failed, 4 no such unit.
      can: async () => [0, 1, 2, 3].includes(exitCodeOf(await ranQuietly(processes, 'systemctl', ['status', unit]))),
      suspend: () => act(processes, 'systemctl', [verb]),
    },
    {
      can: async () => exitCodeOf(await ranQuietly(processes, 'pm-is-supported', [pmFlag])) === 0,
      suspend: () => act(processes, pmProgram, []),
    },
  ];
  if (word === undefined) return byPrograms;
  return [
    ...byPrograms,
    {
      async can() {
        const states = await nativeAddon().readFile(root + stateFile, 4096).catch(() => undefined);
        return states !== undefined && textFromBytes(states).split(/\s+/).includes(word);
      },
      async suspend() {
        try {
          await nativeAddon().writeFile(root + stateFile, word);
        } catch (error) {
          throw AgentError.failed(withContext(`suspend: cannot write to '${stateFile}'`, error).message, error);
        }
      },
    },
  ];
}

/** How a program ended whose output nobody wants; undefined where it could not be started. */
async function ranQuietly(processes: Processes, path: string, argumentsAfterName: readonly string[]): Promise<ProcessEnd | undefined> {
  try {
    const running = await processes.spawn({ path, arguments: argumentsAfterName, output: 'discard', errors: 'discard' });
    return await running.finished;
  } catch {
    return undefined;
  }
}

/** −1 where it did not end by itself: a helper that was killed has neither confirmed nor done anything. */
const exitCodeOf = (end: ProcessEnd | undefined): number => (end !== undefined && 'exitCode' in end ? end.exitCode : -1);

async function act(processes: Processes, path: string, argumentsAfterName: readonly string[]): Promise<void> {
  let end: ProcessEnd;
  try {
    const running = await processes.spawn({ path, arguments: argumentsAfterName, output: 'discard', errors: 'discard' });
    end = await running.finished;
  } catch (error) {
    if (osCode(error) === 'ENOENT') throw AgentError.failed(`the helper program '${path}' was not found`, error);
    throw AgentError.failed(`failed to create child process, error '${messageOf(error)}'`, error);
  }
  if ('signal' in end) throw AgentError.failed(`the helper program '${path}' was killed by signal ${end.signal}`);
  if (end.exitCode !== 0) throw AgentError.failed(`the helper program '${path}' returned an unexpected exit status code (${end.exitCode})`);
}
