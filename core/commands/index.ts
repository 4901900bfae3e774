// SPDX-License-Identifier: Apache-2.0
import { commandNames, type CommandName } from '../schema/index.ts';
import type { CommandHandler } from './command.ts';
import { addAuthorizedKeys, getAuthorizedKeys, removeAuthorizedKeys, setUserPassword } from './credentials.ts';
import { getDisks, getDiskstats, getFsinfo } from './disks.ts';
import { exec, execStatus } from './exec.ts';
import { fileClose, fileFlush, fileOpen, fileRead, fileSeek, fileWrite } from './files.ts';
import { freeze, freezeList, freezePlan, freezeReport, freezeStatus, fstrim, thaw } from './freezing.ts';
import { generation } from './generation.ts';
import { getDevices, getDriverPackages, getDriverServices, getHostName, getOsinfo, getTimezone, getUsers } from './identity.ts';
import { getMemoryBlockInfo, getMemoryBlocks, setMemoryBlocks } from './memory.ts';
import { getInterfaces, getRoute } from './network.ts';
import { shutdown, suspendDisk, suspendHybrid, suspendRam } from './power.ts';
import { execExchange, execForget, execList, execResize, execSignal, execStart } from './programs.ts';
import { getCpustats, getLoad, getVcpus, setVcpus } from './processors.ts';
import { info, ping, sync, syncDelimited } from './session.ts';
import { getTime, setTime } from './time.ts';

/** One handler for each command of the schema: a command without one is a type error. */
const byName: Readonly<Record<CommandName, CommandHandler>> = {
  'guest-sync-delimited': syncDelimited,
  'guest-sync': sync,
  'guest-ping': ping,
  'guest-get-time': getTime,
  'guest-set-time': setTime,
  'guest-info': info,
  'guest-shutdown': shutdown,
  'guest-file-open': fileOpen,
  'guest-file-close': fileClose,
  'guest-file-read': fileRead,
  'guest-file-write': fileWrite,
  'guest-file-seek': fileSeek,
  'guest-file-flush': fileFlush,
  'guest-fsfreeze-status': freezeStatus,
  'guest-fsfreeze-freeze': freeze,
  'guest-fsfreeze-freeze-list': freezeList,
  'guest-fsfreeze-thaw': thaw,
  'guest-fstrim': fstrim,
  'guest-suspend-disk': suspendDisk,
  'guest-suspend-ram': suspendRam,
  'guest-suspend-hybrid': suspendHybrid,
  'guest-network-get-interfaces': getInterfaces,
  'guest-get-vcpus': getVcpus,
  'guest-set-vcpus': setVcpus,
  'guest-get-disks': getDisks,
  'guest-get-fsinfo': getFsinfo,
  'guest-set-user-password': setUserPassword,
  'guest-get-memory-blocks': getMemoryBlocks,
  'guest-set-memory-blocks': setMemoryBlocks,
  'guest-get-memory-block-info': getMemoryBlockInfo,
  'guest-exec-status': execStatus,
  'guest-exec': exec,
  'guest-get-host-name': getHostName,
  'guest-get-users': getUsers,
  'guest-get-timezone': getTimezone,
  'guest-get-osinfo': getOsinfo,
  'guest-get-devices': getDevices,
  'guest-get-driver-packages': getDriverPackages,
  'guest-get-driver-services': getDriverServices,
  'guest-ssh-get-authorized-keys': getAuthorizedKeys,
  'guest-ssh-add-authorized-keys': addAuthorizedKeys,
  'guest-ssh-remove-authorized-keys': removeAuthorizedKeys,
  'guest-get-diskstats': getDiskstats,
  'guest-get-cpustats': getCpustats,
  'guest-get-load': getLoad,
  'guest-network-get-route': getRoute,
  '__org.concierge_fsfreeze-report': freezeReport,
  '__org.concierge_fsfreeze-plan': freezePlan,
  '__org.concierge_exec-start': execStart,
  '__org.concierge_exec-exchange': execExchange,
  '__org.concierge_exec-signal': execSignal,
  '__org.concierge_exec-resize': execResize,
  '__org.concierge_exec-list': execList,
  '__org.concierge_exec-forget': execForget,
  '__org.concierge_generation': generation,
};

/** In the order of the schema. */
export const handlers: readonly CommandHandler[] = commandNames.map((name) => byName[name]);
