// SPDX-License-Identifier: Apache-2.0
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Runs a program of this machine to its end and resolves to its output. @throws with what it said on failure */
export async function run(program: string, args: readonly string[], options: { readonly cwd?: string; readonly timeout?: number; readonly env?: NodeJS.ProcessEnv } = {}): Promise<string> {
  const { stdout } = await execute(program, args, { maxBuffer: 64 * 1024 * 1024, timeout: 600_000, ...options });
  return stdout;
}

/** Debian's packages that the lab is made of. */
const packages = [
  'qemu-system-x86',
  'qemu-utils',
  'libvirt-daemon',
  'libvirt-daemon-driver-qemu',
  'libvirt-clients',
  'busybox-static',
  'mmdebstrap',
  'e2fsprogs',
  'xfsprogs',
  'cpio',
  'kmod',
  'python3',
  'faketime',
] as const;

const programs = ['qemu-system-x86_64', 'qemu-img', 'libvirtd', 'virsh', 'busybox', 'mmdebstrap', 'mke2fs', 'cpio', 'depmod', 'python3', 'faketime'] as const;

const has = (program: string): boolean => spawnSync('sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${program}`]).status === 0;

/** Why the lab cannot be had on this machine; `undefined` where it can. */
export function missingForLab(): string | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'needs Linux on x64';
  if (process.getuid?.() !== 0) return 'needs root';
  if (!has('apt-get') && !programs.every(has)) return `needs Debian, or ${programs.filter((program) => !has(program)).join(', ')}`;
  return undefined;
}

export async function installPackages(): Promise<void> {
  if (programs.every(has)) return;
  await run('apt-get', ['update', '-q']);
  await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages]);
}
