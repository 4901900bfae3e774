// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';

const kernelOnly = /^(?:proc|sysfs|tmpfs|devtmpfs|devpts|cgroup2?|overlay|securityfs|debugfs|tracefs|pstore|bpf|mqueue|hugetlbfs|configfs|fusectl|efivarfs|autofs|binfmt_misc|rpc_pipefs|nsfs|ramfs|selinuxfs|binder)$/;

/** Belt and braces behind `enter.sh`: nothing that has a disk may be in sight before a lab is built. @throws Error */
export function onlyKernelFileSystems(): void {
  const inSight = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter(Boolean).map((line) => {
    const [before = '', after = ''] = line.split(' - ');
    return { mountPoint: before.split(' ')[4] ?? '', type: after.split(' ')[0] ?? '' };
  });
  const stray = inSight.find(({ type }) => !kernelOnly.test(type));
  if (stray !== undefined) throw new Error(`${stray.type} is mounted on ${stray.mountPoint}: this is no place to freeze everything`);
}
