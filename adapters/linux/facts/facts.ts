// SPDX-License-Identifier: Apache-2.0
import type {
  Accounts, Disks, DiskStatistics, FileSystemUsage, Host, Memory, Processors,
} from '../../../core/ports/index.ts';
import { linuxAccounts } from '../accounts/accounts.ts';
import { linuxGroups, type GroupsAddon } from '../accounts/groups.ts';
import { linuxDiskStatistics } from '../block/disk-statistics.ts';
import { linuxDisks } from '../block/disks.ts';
import { runHelperProgram } from '../programs/helper-program.ts';
import { linuxHost } from './host.ts';
import { linuxMemory } from './memory.ts';
import type { NativeAddon } from '../native.ts';
import { linuxPasswords } from '../accounts/passwords.ts';
import { linuxProcessors } from './processors.ts';
import { linuxSshKeys, type AccountsAddon } from '../accounts/ssh-keys.ts';
import { linuxUsage, type FileSystemSize } from '../block/usage.ts';

/** Calls of native/linux/block.cc. */
export interface BlockAddon {
  /** statvfs(3). May never answer. @throws os error */
  statFileSystem(path: string | Buffer): Promise<FileSystemSize>;
  /** The same for many, one after the other; `undefined` for one that fails. May never answer. */
  statFileSystems(paths: readonly (string | Buffer)[]): Promise<readonly (FileSystemSize | undefined)[]>;
  /** At once; `undefined` where the way to it is not in memory. For file systems that tell their size from memory. */
  fileSystemSizeNow(path: string | Buffer): FileSystemSize | undefined;
  /** Log page 0x02 of the controller behind a node, 512 bytes. @throws os error; `EIO` for a status of the device */
  nvmeSmartLog(node: string, timeLimitMs: number): Promise<Buffer>;
}

/** A host that waits a second for the list of disks gives up on agents that take longer. */
const smartLimitMs = 750;

/** What can be read from /proc, /sys, /run and /etc, and the few switches there. */
export interface LinuxFacts {
  readonly usage: FileSystemUsage;
  readonly disks: Disks;
  readonly diskStatistics: DiskStatistics;
  readonly processors: Processors;
  readonly memory: Memory;
  readonly host: Host;
  readonly accounts: Accounts;
}

/** `root` is put before every path: '' for the running system. */
export function linuxFacts(root: string, addon: NativeAddon & BlockAddon & AccountsAddon & GroupsAddon): LinuxFacts {
  const writeAttribute = (path: string, text: string): Promise<void> => addon.writeFile(path, text);
  return {
    usage: linuxUsage(root, (path) => addon.statFileSystem(path), undefined, undefined, {
      now: (path) => addon.fileSystemSizeNow(path),
      together: (paths) => addon.statFileSystems(paths),
    }),
    disks: linuxDisks(root, (node) => addon.nvmeSmartLog(node, smartLimitMs)),
    diskStatistics: linuxDiskStatistics(root),
    processors: linuxProcessors(root, writeAttribute),
    memory: linuxMemory(root, writeAttribute),
    host: linuxHost({ root, readFile: (path, limit) => addon.readFile(path, limit), readStart: (path, limit) => addon.readStart(path, limit) }),
    accounts: linuxAccounts({
      root,
      passwords: linuxPasswords({
        isExecutable: (path) => addon.isExecutable(path),
        run: async (program, args, action, input) => {
          await runHelperProgram({ program, arguments: args, action, input });
        },
      }),
      sshKeys: linuxSshKeys(addon, async () => (await import('../accounts/sshd-configuration.ts')).keysElsewhere(root, addon)),
      groups: linuxGroups(addon),
    }),
  };
}
