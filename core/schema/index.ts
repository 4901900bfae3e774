// SPDX-License-Identifier: Apache-2.0
import type { CommandSchema } from './command.ts';
import { guestSetUserPassword, guestSshAddAuthorizedKeys, guestSshGetAuthorizedKeys, guestSshRemoveAuthorizedKeys } from './credentials.ts';
import { guestGetDisks, guestGetDiskstats, guestGetFsinfo } from './disks.ts';
import { guestExec, guestExecStatus } from './exec.ts';
import { guestFileClose, guestFileFlush, guestFileOpen, guestFileRead, guestFileSeek, guestFileWrite } from './files.ts';
import {
  conciergeFsfreezePlan, conciergeFsfreezeReport, guestFsfreezeFreeze, guestFsfreezeFreezeList, guestFsfreezeStatus, guestFsfreezeThaw, guestFstrim,
} from './freezing.ts';
import { conciergeGeneration } from './generation.ts';
import { guestGetDevices, guestGetDriverPackages, guestGetDriverServices, guestGetHostName, guestGetOsinfo, guestGetTimezone, guestGetUsers } from './identity.ts';
import { guestGetMemoryBlockInfo, guestGetMemoryBlocks, guestSetMemoryBlocks } from './memory.ts';
import { guestNetworkGetInterfaces, guestNetworkGetRoute } from './network.ts';
import { guestShutdown, guestSuspendDisk, guestSuspendHybrid, guestSuspendRam } from './power.ts';
import { guestGetCpustats, guestGetLoad, guestGetVcpus, guestSetVcpus } from './processors.ts';
import {
  conciergeExecExchange, conciergeExecForget, conciergeExecList, conciergeExecResize, conciergeExecSignal, conciergeExecStart,
} from './programs.ts';
import { guestInfo, guestPing, guestSync, guestSyncDelimited } from './session.ts';
import { guestGetTime, guestSetTime } from './time.ts';

/** All commands in the order of qemu-ga 11.1's schema, those of the release after it, then Concierge's own. guest-info lists them backwards. */
export const commands = [
  guestSyncDelimited,
  guestSync,
  guestPing,
  guestGetTime,
  guestSetTime,
  guestInfo,
  guestShutdown,
  guestFileOpen,
  guestFileClose,
  guestFileRead,
  guestFileWrite,
  guestFileSeek,
  guestFileFlush,
  guestFsfreezeStatus,
  guestFsfreezeFreeze,
  guestFsfreezeFreezeList,
  guestFsfreezeThaw,
  guestFstrim,
  guestSuspendDisk,
  guestSuspendRam,
  guestSuspendHybrid,
  guestNetworkGetInterfaces,
  guestGetVcpus,
  guestSetVcpus,
  guestGetDisks,
  guestGetFsinfo,
  guestSetUserPassword,
  guestGetMemoryBlocks,
  guestSetMemoryBlocks,
  guestGetMemoryBlockInfo,
  guestExecStatus,
  guestExec,
  guestGetHostName,
  guestGetUsers,
  guestGetTimezone,
  guestGetOsinfo,
  guestGetDevices,
  guestSshGetAuthorizedKeys,
  guestSshAddAuthorizedKeys,
  guestSshRemoveAuthorizedKeys,
  guestGetDiskstats,
  guestGetCpustats,
  guestGetLoad,
  guestNetworkGetRoute,
  guestGetDriverPackages,
  guestGetDriverServices,
  conciergeFsfreezeReport,
  conciergeFsfreezePlan,
  conciergeExecStart,
  conciergeExecExchange,
  conciergeExecSignal,
  conciergeExecResize,
  conciergeExecList,
  conciergeExecForget,
  conciergeGeneration,
] as const satisfies readonly CommandSchema[];

/** Every command, as a union: the host's client finds arguments and result by the name. */
export type Command = (typeof commands)[number];
export type CommandName = Command['name'];

export const commandNames: readonly CommandName[] = commands.map(({ name }) => name);
