// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../unit/transport/until.ts';
import { type AgentProcess, program, scratchDirectory } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';
import { agentOf, ask, endAll, keptAgent } from './kept-agent.ts';
import { keeperPath } from './keeper-lab.ts';

/** A file system of their own in a mount namespace of their own, and then a keeper and its agent. */
const script = `set -e; d=$0/disk; mkdir -p "$d"; truncate -s 32M "$0/image"; mkfs.ext4 -q -E nodiscard "$0/image"
mount -o loop "$0/image" "$d"; exec "${keeperPath}" -- "${program}" "$@"`;
const fences = ['--fsfreeze-exclude=/', '--hook-directory=', '--sleep-after=0'];

const usable = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', '--propagation', 'private', 'true']).status === 0;

const textOf = (path: string): string => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It has ended.
    return '';
  }
};

/** Guardians among the children of a process, or what is listed otherwise. */
const guardiansOf = (pid: number, name = 'concierge-guard'): readonly number[] =>
  readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => textOf(`/proc/${pid}/task/${task}/children`).match(/\d+/g) ?? [])
    .map(Number)
    .filter((child) => textOf(`/proc/${child}/comm`) === `${name}\n`);

describe.skipIf(!usable)('a freeze of an agent with a keeper (needs root, unshare, loop devices)', () => {
  let keeper: AgentProcess;
  let host: LineClient;
  let disk: string;

  beforeEach(async () => {
    const directory = scratchDirectory();
    disk = `${directory}/disk`;
    keeper = await keptAgent({ directory, command: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, directory], words: fences });
    host = await keeper.connect();
  });
  afterEach(async () => {
    host.close();
    await endAll();
    spawnSync('rm', ['-rf', keeper.directory]);
  });

  const freeze = (): Promise<unknown> => ask(host, 'guest-fsfreeze-freeze-list', { mountpoints: [disk] });
  const status = (): Promise<unknown> => ask(host, 'guest-fsfreeze-status');

  /** Whether somebody can write to it, in their mount namespace. */
  const canWrite = (): boolean =>
    spawnSync('nsenter', ['--mount', '--target', String(keeper.pid), 'timeout', '-s', 'KILL', '30', 'sh', '-c', `echo x > ${disk}/text`]).status === 0;

  it('is held by a guardian that no program was executed for', async () => {
    expect(await freeze()).toBe(1);

    const [guardian = 0] = guardiansOf(keeper.pid);
    expect(readlinkSync(`/proc/${guardian}/exe`)).toBe(readlinkSync(`/proc/${keeper.pid}/exe`));
    expect(guardiansOf(agentOf(keeper) as number)).toEqual([]);
    expect(await ask(host, 'guest-fsfreeze-thaw')).toBe(1);
    await until(() => guardiansOf(keeper.pid).length === 0);
    expect(await freeze()).toBe(1);
    expect(await ask(host, 'guest-fsfreeze-thaw')).toBe(1);
    expect(canWrite()).toBe(true);
  });

  it('is followed by another of the same guardian, which waits no longer than its agent lives', async () => {
    expect([await freeze(), await ask(host, 'guest-fsfreeze-thaw')]).toEqual([1, 1]);
    await until(() => guardiansOf(keeper.pid, 'concierge-spare').length === 1);
    const [spare] = guardiansOf(keeper.pid, 'concierge-spare');

    expect(await freeze()).toBe(1);
    expect(guardiansOf(keeper.pid)).toEqual([spare]);
    expect(await ask(host, 'guest-fsfreeze-thaw')).toBe(1);
    await until(() => guardiansOf(keeper.pid, 'concierge-spare').length === 1);
    process.kill(agentOf(keeper) as number, 'SIGKILL');

    await until(() => guardiansOf(keeper.pid, 'concierge-spare').length === 0);
    expect(canWrite()).toBe(true);
  });

  it('goes on when the agent is killed, and the next one thaws', async () => {
    expect(await freeze()).toBe(1);

    const agent = agentOf(keeper) as number;
    process.kill(agent, 'SIGKILL');

    // Its log waits for the thaw.
    expect(await status()).toBe('frozen');
    expect(agentOf(keeper)).not.toBe(agent);
    expect(await ask(host, 'guest-fsfreeze-thaw')).toBe(1);
    expect(canWrite()).toBe(true);
  });

  it('ends when the keeper is killed: its agent thaws', async () => {
    expect(await freeze()).toBe(1);
    const agent = agentOf(keeper) as number;
    const namespace = `/proc/${agent}`;

    keeper.signal('SIGKILL');

    await until(() => keeper.stderr.includes('the keeper has ended, and this agent with it') && !existsSync(namespace));
    expect(keeper.stderr).not.toContain('failed to clean up');
  });

  it('is made by a program where the keeper stands still', async () => {
    keeper.signal('SIGSTOP');

    expect(await freeze()).toBe(1);

    expect(guardiansOf(agentOf(keeper) as number).length).toBe(1);
    keeper.signal('SIGCONT');
    expect(await ask(host, 'guest-fsfreeze-thaw')).toBe(1);
    expect(canWrite()).toBe(true);
  });

  it('ends in time though the guardian is stopped, and though it is killed', async () => {
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
      expect(await freeze()).toBe(1);
      const [guardian = 0] = guardiansOf(keeper.pid);
      process.kill(guardian, signal);

      await ask(host, 'guest-fsfreeze-thaw');

      expect(await status()).toBe('thawed');
      expect(canWrite()).toBe(true);
    }
  });
});
