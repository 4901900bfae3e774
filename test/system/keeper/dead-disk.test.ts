// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../unit/transport/until.ts';
import { repository } from '../../wire/lib/build.ts';
import { type AgentProcess, scratchDirectory } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';
import { agentOf, ask, endAll, keptAgent } from './kept-agent.ts';

/**
 * A copy of the package on a disk of its own, a small one to be frozen, and a keeper from the first that cannot read it any
 * faster than the control group lets it.
 */
const script = `set -e; d=$0; mkdir -p "$d/disk" "$d/package"; truncate -s 32M "$d/image"; truncate -s 256M "$d/package.image"
for image in image package.image; do mkfs.ext4 -q -E nodiscard "$d/$image"; done
mount -o loop "$d/image" "$d/disk"; mount -o loop "$d/package.image" "$d/package"
mkdir "$d/package/runtime" "$d/package/dist"
cp "${process.execPath}" "$d/package/runtime/node"
cp -R "${repository}/bin" "$d/package/"; cp "${repository}"/dist/* "$d/package/dist/"; sync -f "$d/package"
stat -c %d "$d/package/bin" >"$d/device"
echo $$ >"$GROUP/cgroup.procs"
exec "$d/package/dist/concierge-keeper" -- "$d/package/bin/concierge-ga" "$@"`;

/** What was read of it before is read again from the disk. What somebody executes now stays. */
const forget = `import os, sys
for directory, _, names in os.walk(sys.argv[1]):
    for name in names:
        fd = os.open(os.path.join(directory, name), os.O_RDONLY)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)
`;

interface Throttle {
  readonly group: string;
  hang(device: string): void;
  goOn(device: string): void;
}

/** A control group that reads a byte in a second, of version 1 or 2; `undefined` where there can be none. */
function throttle(): Throttle | undefined {
  const root = '/sys/fs/cgroup';
  const name = `concierge-disk-${process.pid}`;
  try {
    const version1 = `${root}/blkio`;
    if (existsSync(`${version1}/blkio.throttle.read_bps_device`)) {
      const group = `${version1}/${name}`;
      mkdirSync(group);
      const limit = (text: string): void => writeFileSync(`${group}/blkio.throttle.read_bps_device`, text);
      return { group, hang: (device) => limit(`${device} 1`), goOn: (device) => limit(`${device} 0`) };
    }
    writeFileSync(`${root}/cgroup.subtree_control`, '+io');
    const group = `${root}/${name}`;
    mkdirSync(group);
    if (!existsSync(`${group}/io.max`)) throw new Error('no io.max');
    const limit = (text: string): void => writeFileSync(`${group}/io.max`, text);
    return { group, hang: (device) => limit(`${device} rbps=1`), goOn: (device) => limit(`${device} rbps=max`) };
  } catch {
    return undefined;
  }
}

const isRoot = process.getuid?.() === 0;
const tried = isRoot ? throttle() : undefined;
if (tried !== undefined) rmdirSync(tried.group);
const usable = tried !== undefined && existsSync('/dev/loop-control');

describe.skipIf(!usable)('a disk that hangs under the files of the package (needs root, loop devices, a control group that throttles reading)', () => {
  let directory: string;
  let disk: Throttle;
  let device: string;
  let keeper: AgentProcess;
  let host: LineClient;

  beforeEach(async () => {
    directory = scratchDirectory();
    disk = throttle() as Throttle;
    keeper = await keptAgent({
      directory,
      command: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, directory],
      words: ['--fsfreeze-exclude=/', '--hook-directory=', '--sleep-after=0', '--freeze-timeout=4'],
      environment: { GROUP: disk.group },
    });
    host = await keeper.connect();
    const number = Number(readFileSync(join(directory, 'device'), 'utf8'));
    device = `${number >> 8}:${number & 0xff}`;
  });
  afterEach(async () => {
    disk.goOn(device);
    host.close();
    await endAll();
    await until(() => {
      try {
        rmdirSync(disk.group);
        return true;
      } catch {
        // Its processes take a moment to be gone.
        return false;
      }
    });
    spawnSync('rm', ['-rf', directory]);
  });

  const inside = (...words: readonly string[]): ReturnType<typeof spawnSync> => spawnSync('nsenter', ['--mount', '--target', String(keeper.pid), ...words]);
  const canWrite = (): boolean => inside('timeout', '-s', 'KILL', '2', 'sh', '-c', `echo x > ${directory}/disk/text`).status === 0;

  it('keeps nobody frozen: the guardian thaws in time while no agent can start, and the next one says so', async () => {
    expect(statSync(`/proc/${keeper.pid}/exe`).dev).toBe(Number(readFileSync(join(directory, 'device'), 'utf8')));
    expect(await ask(host, 'guest-fsfreeze-freeze-list', { mountpoints: [`${directory}/disk`] })).toBe(1);
    expect(canWrite()).toBe(false);

    disk.hang(device);
    process.kill(agentOf(keeper) as number, 'SIGKILL');
    inside('python3', '-c', forget, `${directory}/package`);

    // The next one waits for the disk, and goes on waiting.
    await until(() => waitsForADisk(keeper.pid));
    await until(canWrite);
    expect(waitsForADisk(keeper.pid)).toBe(true);
    disk.goOn(device);
    expect(await ask(host, 'guest-fsfreeze-status')).toBe('thawed');
    expect(await ask(host, 'guest-ping')).toEqual({});
  });
});

/** Whether a child of a process does, or one of its threads. */
function waitsForADisk(pid: number): boolean {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').match(/\d+/g) ?? [];
  return children.some((child) => /^State:\s+D/m.test(readFileSync(`/proc/${child}/status`, 'latin1')));
}
