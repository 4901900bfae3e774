import type { CommandHandler } from './command.ts';
import { addAuthorizedKeys, getAuthorizedKeys, removeAuthorizedKeys, setUserPassword } from './credentials.ts';
import { getDisks, getDiskstats, getFsinfo } from './disks.ts';
import { exec, execStatus } from './exec.ts';
import { fileClose, fileFlush, fileOpen, fileRead, fileSeek, fileWrite } from './files.ts';
import { freeze, freezeList, freezeReport, freezeStatus, fstrim, thaw } from './freezing.ts';
import { getDevices, getHostName, getOsinfo, getTimezone, getUsers } from './identity.ts';
import { getMemoryBlockInfo, getMemoryBlocks, setMemoryBlocks } from './memory.ts';
import { getInterfaces, getRoute } from './network.ts';
import { shutdown, suspendDisk, suspendHybrid, suspendRam } from './power.ts';
import { getCpustats, getLoad, getVcpus, setVcpus } from './processors.ts';
import { info, ping, sync, syncDelimited } from './session.ts';
import { getTime, setTime } from './time.ts';

/** One handler for each command, in the order of the schema. */
export const handlers: readonly CommandHandler[] = [
  syncDelimited,
  sync,
  ping,
  getTime,
  setTime,
  info,
  shutdown,
  fileOpen,
  fileClose,
  fileRead,
  fileWrite,
  fileSeek,
  fileFlush,
  freezeStatus,
  freeze,
  freezeList,
  thaw,
  fstrim,
  suspendDisk,
  suspendRam,
  suspendHybrid,
  getInterfaces,
  getVcpus,
  setVcpus,
  getDisks,
  getFsinfo,
  setUserPassword,
  getMemoryBlocks,
  setMemoryBlocks,
  getMemoryBlockInfo,
  execStatus,
  exec,
  getHostName,
  getUsers,
  getTimezone,
  getOsinfo,
  getDevices,
  getAuthorizedKeys,
  addAuthorizedKeys,
  removeAuthorizedKeys,
  getDiskstats,
  getCpustats,
  getLoad,
  getRoute,
  freezeReport,
];
