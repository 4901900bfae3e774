// SPDX-License-Identifier: Apache-2.0
import { comInterface, slot } from '../com.ts';
import { demandExport } from '../exports.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';
import { callOnThread, type GuidValue } from '../own-thread.ts';

/** The undecorated export behind CreateVssBackupComponents, an inline function of vsbackup.h since Windows Vista. */
export const createVssBackupComponents = (made: Out<Pointer | null>): Promise<number> =>
  callOnThread(demandExport('vssapi.dll', 'CreateVssBackupComponentsInternal'), ['out void *'], [made]);

type OutPointer = Out<Pointer | null>;

export const IVssAsync = comInterface('IVssAsync', 'vss.h', {
  Cancel: slot<() => number>(3),
  Wait: slot<(ms: number) => number>(4, ['uint32_t']),
  QueryStatus: slot<(result: Out<number>, reserved: null) => number>(5, ['out int32_t', 'void *']),
});

export const IVssBackupComponents = comInterface('IVssBackupComponents', 'vsbackup.h', {
  InitializeForBackup: slot<(xml: null) => number>(5, ['void *']),
  SetBackupState: slot<(selectComponents: number, systemState: number, type: number, partialFiles: number) => number>(6, ['uint8_t', 'uint8_t', 'int', 'uint8_t']),
  GatherWriterMetadata: slot<(async: OutPointer) => number>(9, ['out void *']),
  GetWriterMetadataCount: slot<(count: Out<number>) => number>(10, ['out uint32_t']),
  GetWriterMetadata: slot<(index: number, instance: Buffer, metadata: OutPointer) => number>(11, ['uint32_t', 'void *', 'out void *']),
  FreeWriterMetadata: slot<() => number>(12),
  AddComponent: slot<(instance: GuidValue, writer: GuidValue, type: number, logicalPath: Pointer | null, name: Pointer) => number>(13, ['GUID', 'GUID', 'int', 'void *', 'void *']),
  PrepareForBackup: slot<(async: OutPointer) => number>(14, ['out void *']),
  AbortBackup: slot<() => number>(15),
  GatherWriterStatus: slot<(async: OutPointer) => number>(16, ['out void *']),
  GetWriterStatusCount: slot<(count: Out<number>) => number>(17, ['out uint32_t']),
  FreeWriterStatus: slot<() => number>(18),
  GetWriterStatus: slot<(index: number, instance: Buffer, writer: Buffer, name: OutPointer, state: Out<number>, failure: Out<number>) => number>(
    19, ['uint32_t', 'void *', 'void *', 'out void *', 'out int', 'out int32_t']),
  BackupComplete: slot<(async: OutPointer) => number>(27, ['out void *']),
  SetContext: slot<(context: number) => number>(35, ['int32_t']),
  StartSnapshotSet: slot<(set: Buffer) => number>(36, ['void *']),
  AddToSnapshotSet: slot<(volume: string, provider: GuidValue, snapshot: Buffer) => number>(37, ['str16', 'GUID', 'void *']),
  DoSnapshotSet: slot<(async: OutPointer) => number>(38, ['out void *']),
  IsVolumeSupported: slot<(provider: GuidValue, volume: string, supported: Out<number>) => number>(44, ['GUID', 'str16', 'out int']),
});

export const IVssExamineWriterMetadata = comInterface('IVssExamineWriterMetadata', 'vsbackup.h', {
  GetIdentity: slot<(instance: Buffer, writer: Buffer, name: OutPointer, usage: Out<number>, source: Out<number>) => number>(
    3, ['void *', 'void *', 'out void *', 'out int', 'out int']),
  GetFileCounts: slot<(included: Out<number>, excluded: Out<number>, components: Out<number>) => number>(4, ['out uint32_t', 'out uint32_t', 'out uint32_t']),
  GetComponent: slot<(index: number, component: OutPointer) => number>(7, ['uint32_t', 'out void *']),
});

export const IVssWMComponent = comInterface('IVssWMComponent', 'vsbackup.h', {
  GetComponentInfo: slot<(info: OutPointer) => number>(3, ['out void *']),
  FreeComponentInfo: slot<(info: Pointer) => number>(4, ['void *']),
  GetFile: slot<(index: number, description: OutPointer) => number>(5, ['uint32_t', 'out void *']),
  GetDatabaseFile: slot<(index: number, description: OutPointer) => number>(6, ['uint32_t', 'out void *']),
  GetDatabaseLogFile: slot<(index: number, description: OutPointer) => number>(7, ['uint32_t', 'out void *']),
});

export const IVssWMFiledesc = comInterface('IVssWMFiledesc', 'vsbackup.h', {
  GetPath: slot<(path: OutPointer) => number>(3, ['out void *']),
});

export const VSS_COMPONENTINFO = layout('struct _VSS_COMPONENTINFO', 'vsbackup.h', 72, {
  type: [0, 'i32'], bstrLogicalPath: [8, 'pointer'], bstrComponentName: [16, 'pointer'], bSelectable: [46, 'u8'],
  cFileCount: [52, 'u32'], cDatabases: [56, 'u32'], cLogFiles: [60, 'u32'],
});
