// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';

type Memory = Buffer | Pointer | null;

/** Prototypes as in winreg.h, winsvc.h, securitybaseapi.h, aclapi.h, sddl.h, winbase.h. */
export const advapi32 = dll('advapi32.dll', {
  AdjustTokenPrivileges: prototype<(token: Pointer, disableAll: number, wanted: Buffer, length: number, previous: null, returned: null) => number>(
    'int __stdcall AdjustTokenPrivileges(void *token, int disableAll, void *wanted, uint32_t length, void *previous, void *returned)'),
  ChangeServiceConfig2W: prototype<(service: Pointer, level: number, info: Buffer) => number>(
    'int __stdcall ChangeServiceConfig2W(void *service, uint32_t level, void *info)'),
  CloseServiceHandle: prototype<(handle: Pointer) => number>('int __stdcall CloseServiceHandle(void *handle)'),
  ControlService: prototype<(service: Pointer, control: number, status: Buffer) => number>(
    'int __stdcall ControlService(void *service, uint32_t control, _Out_ void *status)'),
  ConvertSidToStringSidW: prototype<(sid: Memory, text: Out<Pointer | null>) => number>(
    'int __stdcall ConvertSidToStringSidW(void *sid, _Out_ void **text)'),
  ConvertSecurityDescriptorToStringSecurityDescriptorW: prototype<(descriptor: Buffer, revision: number, parts: number, text: Out<Pointer | null>, length: null) => number>(
    'int __stdcall ConvertSecurityDescriptorToStringSecurityDescriptorW(void *descriptor, uint32_t revision, uint32_t parts, _Out_ void **text, void *length)'),
  ConvertStringSidToSidW: prototype<(text: string, sid: Out<Pointer | null>) => number>(
    'int __stdcall ConvertStringSidToSidW(str16 text, _Out_ void **sid)'),
  ConvertStringSecurityDescriptorToSecurityDescriptorW: prototype<(text: string, revision: number, descriptor: Out<Pointer | null>, size: null) => number>(
    'int __stdcall ConvertStringSecurityDescriptorToSecurityDescriptorW(str16 text, uint32_t revision, _Out_ void **descriptor, void *size)'),
  CreateServiceW: prototype<(manager: Pointer, name: string, displayName: string, access: number, type: number, start: number, errorControl: number, path: string, group: null, tag: null, dependencies: null, account: string | null, password: null) => Pointer>(
    'void *__stdcall CreateServiceW(void *manager, str16 name, str16 displayName, uint32_t access, uint32_t type, uint32_t start, uint32_t errorControl, str16 path, str16 group, void *tag, void *dependencies, str16 account, str16 password)'),
  DeleteService: prototype<(service: Pointer) => number>('int __stdcall DeleteService(void *service)'),
  EnumServicesStatusExW: prototype<(manager: Pointer, level: number, type: number, state: number, into: Buffer, length: number, needed: Out<number>, count: Out<number>, resume: Out<number>, group: null) => number>(
    'int __stdcall EnumServicesStatusExW(void *manager, int level, uint32_t type, uint32_t state, _Out_ void *into, uint32_t length, _Out_ uint32_t *needed, _Out_ uint32_t *count, _Inout_ uint32_t *resume, str16 group)'),
  GetFileSecurityW: prototype<(path: string, parts: number, descriptor: Buffer | null, length: number, needed: Out<number>) => number>(
    'int __stdcall GetFileSecurityW(str16 path, uint32_t parts, _Out_ void *descriptor, uint32_t length, _Out_ uint32_t *needed)'),
  GetKernelObjectSecurity: prototype<(handle: Pointer, parts: number, descriptor: Buffer, length: number, needed: Out<number>) => number>(
    'int __stdcall GetKernelObjectSecurity(void *handle, uint32_t parts, _Out_ void *descriptor, uint32_t length, _Out_ uint32_t *needed)'),
  GetTokenInformation: prototype<(token: Pointer, kind: number, into: Buffer, length: number, returned: Out<number>) => number>(
    'int __stdcall GetTokenInformation(void *token, int kind, _Out_ void *into, uint32_t length, _Out_ uint32_t *returned)'),
  InitiateSystemShutdownExW: prototype<(machine: null, message: string, seconds: number, force: number, reboot: number, reason: number) => number>(
    'int __stdcall InitiateSystemShutdownExW(str16 machine, str16 message, uint32_t seconds, int force, int reboot, uint32_t reason)'),
  LookupAccountNameW: prototype<(machine: null, name: string, sid: Buffer, sidLength: Out<number>, domain: Buffer, domainLength: Out<number>, use: Out<number>) => number>(
    'int __stdcall LookupAccountNameW(str16 machine, str16 name, _Out_ void *sid, _Inout_ uint32_t *sidLength, _Out_ void *domain, _Inout_ uint32_t *domainLength, _Out_ uint32_t *use)'),
  LookupAccountSidW: prototype<(machine: null, sid: Pointer, name: Buffer, nameLength: Out<number>, domain: Buffer, domainLength: Out<number>, use: Out<number>) => number>(
    'int __stdcall LookupAccountSidW(str16 machine, void *sid, _Out_ void *name, _Inout_ uint32_t *nameLength, _Out_ void *domain, _Inout_ uint32_t *domainLength, _Out_ uint32_t *use)'),
  LookupPrivilegeValueW: prototype<(machine: null, name: string, luid: Buffer) => number>(
    'int __stdcall LookupPrivilegeValueW(str16 machine, str16 name, _Out_ void *luid)'),
  OpenProcessToken: prototype<(process: Pointer, access: number, token: Out<Pointer | null>) => number>(
    'int __stdcall OpenProcessToken(void *process, uint32_t access, _Out_ void **token)'),
  OpenSCManagerW: prototype<(machine: null, database: null, access: number) => Pointer>(
    'void *__stdcall OpenSCManagerW(str16 machine, str16 database, uint32_t access)'),
  OpenServiceW: prototype<(manager: Pointer, name: string, access: number) => Pointer>(
    'void *__stdcall OpenServiceW(void *manager, str16 name, uint32_t access)'),
  QueryServiceConfig2W: prototype<(service: Pointer, level: number, into: Buffer | null, length: number, needed: Out<number>) => number>(
    'int __stdcall QueryServiceConfig2W(void *service, uint32_t level, _Out_ void *into, uint32_t length, _Out_ uint32_t *needed)'),
  QueryServiceConfigW: prototype<(service: Pointer, into: Buffer | null, length: number, needed: Out<number>) => number>(
    'int __stdcall QueryServiceConfigW(void *service, _Out_ void *into, uint32_t length, _Out_ uint32_t *needed)'),
  QueryServiceStatusEx: prototype<(service: Pointer, level: number, into: Buffer, length: number, needed: Out<number>) => number>(
    'int __stdcall QueryServiceStatusEx(void *service, int level, _Out_ void *into, uint32_t length, _Out_ uint32_t *needed)'),
  RegCloseKey: prototype<(key: Pointer) => number>('int32_t __stdcall RegCloseKey(void *key)'),
  RegCreateKeyExW: prototype<(key: Pointer, name: string, reserved: number, kind: null, options: number, access: number, security: null, made: Out<Pointer | null>, disposition: Out<number>) => number>(
    'int32_t __stdcall RegCreateKeyExW(void *key, str16 name, uint32_t reserved, str16 kind, uint32_t options, uint32_t access, void *security, _Out_ void **made, _Out_ uint32_t *disposition)'),
  RegDeleteTreeW: prototype<(key: Pointer, name: string) => number>('int32_t __stdcall RegDeleteTreeW(void *key, str16 name)'),
  RegOpenKeyExW: prototype<(key: Pointer, name: string, options: number, access: number, opened: Out<Pointer | null>) => number>(
    'int32_t __stdcall RegOpenKeyExW(void *key, str16 name, uint32_t options, uint32_t access, _Out_ void **opened)'),
  RegQueryValueExW: prototype<(key: Pointer, name: string, reserved: null, type: Out<number>, data: Buffer | null, size: Out<number>) => number>(
    'int32_t __stdcall RegQueryValueExW(void *key, str16 name, void *reserved, _Out_ uint32_t *type, _Out_ void *data, _Inout_ uint32_t *size)'),
  RegSetValueExW: prototype<(key: Pointer, name: string | null, reserved: number, type: number, data: Buffer, size: number) => number>(
    'int32_t __stdcall RegSetValueExW(void *key, str16 name, uint32_t reserved, uint32_t type, void *data, uint32_t size)'),
  RegisterEventSourceW: prototype<(machine: null, source: string) => Pointer>('void *__stdcall RegisterEventSourceW(str16 machine, str16 source)'),
  RegisterServiceCtrlHandlerExW: prototype<(name: string, handler: Pointer, context: null) => Pointer>(
    'void *__stdcall RegisterServiceCtrlHandlerExW(str16 name, void *handler, void *context)'),
  ReportEventW: prototype<(log: Pointer, type: number, category: number, id: number, user: null, count: number, dataSize: number, texts: Buffer, data: null) => number>(
    'int __stdcall ReportEventW(void *log, uint16_t type, uint16_t category, uint32_t id, void *user, uint16_t count, uint32_t dataSize, void *texts, void *data)'),
  SetServiceStatus: prototype<(service: Pointer, status: Buffer) => number>('int __stdcall SetServiceStatus(void *service, void *status)'),
  StartServiceCtrlDispatcherW: prototype<(table: Buffer) => number>('int __stdcall StartServiceCtrlDispatcherW(void *table)'),
  StartServiceW: prototype<(service: Pointer, count: number, args: null) => number>(
    'int __stdcall StartServiceW(void *service, uint32_t count, void *args)'),
});

export const HKEY_LOCAL_MACHINE = 0xffffffff80000002n;

export const TOKEN_PRIVILEGES = layout('TOKEN_PRIVILEGES', 'windows.h', 16, {
  PrivilegeCount: [0, 'u32'], 'Privileges[0].Luid': [4, 'bytes8'], 'Privileges[0].Attributes': [12, 'u32'],
});

export const SERVICE_STATUS = layout('SERVICE_STATUS', 'windows.h', 28, {
  dwServiceType: [0, 'u32'], dwCurrentState: [4, 'u32'], dwControlsAccepted: [8, 'u32'], dwWin32ExitCode: [12, 'u32'],
  dwServiceSpecificExitCode: [16, 'u32'], dwCheckPoint: [20, 'u32'], dwWaitHint: [24, 'u32'],
});

export const SERVICE_STATUS_PROCESS = layout('SERVICE_STATUS_PROCESS', 'windows.h', 36, {
  dwCurrentState: [4, 'u32'], dwControlsAccepted: [8, 'u32'], dwWin32ExitCode: [12, 'u32'], dwServiceSpecificExitCode: [16, 'u32'],
  dwProcessId: [28, 'u32'],
});

/** One of a list; its texts lie behind the list, by their addresses. */
export const ENUM_SERVICE_STATUS_PROCESS = layout('ENUM_SERVICE_STATUS_PROCESSW', 'windows.h', 56, {
  lpServiceName: [0, 'pointer'], 'ServiceStatusProcess.dwCurrentState': [20, 'u32'],
});

/** Texts lie behind it in the same memory, by their addresses. */
export const QUERY_SERVICE_CONFIG = layout('QUERY_SERVICE_CONFIGW', 'windows.h', 64, {
  dwServiceType: [0, 'u32'], dwStartType: [4, 'u32'], lpBinaryPathName: [16, 'pointer'], lpServiceStartName: [48, 'pointer'],
});

export const SERVICE_TABLE_ENTRY = layout('SERVICE_TABLE_ENTRYW', 'windows.h', 16, {
  lpServiceName: [0, 'pointer'], lpServiceProc: [8, 'pointer'],
});

export const SERVICE_DESCRIPTION = layout('SERVICE_DESCRIPTIONW', 'windows.h', 8, { lpDescription: [0, 'pointer'] });

export const SERVICE_FAILURE_ACTIONS = layout('SERVICE_FAILURE_ACTIONSW', 'windows.h', 40, {
  dwResetPeriod: [0, 'u32'], lpRebootMsg: [8, 'pointer'], lpCommand: [16, 'pointer'], cActions: [24, 'u32'], lpsaActions: [32, 'pointer'],
});

export const SERVICE_FAILURE_ACTIONS_FLAG = layout('SERVICE_FAILURE_ACTIONS_FLAG', 'windows.h', 4, { fFailureActionsOnNonCrashFailures: [0, 'i32'] });

/** In milliseconds. */
export const SERVICE_PRESHUTDOWN_INFO = layout('SERVICE_PRESHUTDOWN_INFO', 'windows.h', 4, { dwPreshutdownTimeout: [0, 'u32'] });

export const SC_ACTION = layout('SC_ACTION', 'windows.h', 8, { Type: [0, 'i32'], Delay: [4, 'u32'] });

/** With addresses, as COM wants it. */
export const SECURITY_DESCRIPTOR = layout('SECURITY_DESCRIPTOR', 'windows.h', 40, {
  Revision: [0, 'u8'], Control: [2, 'u16'], Owner: [8, 'pointer'], Group: [16, 'pointer'], Sacl: [24, 'pointer'], Dacl: [32, 'pointer'],
});

/** With offsets, as SDDL is turned into it. */
export const SELF_RELATIVE = layout('SECURITY_DESCRIPTOR_RELATIVE', 'windows.h', 20, {
  Revision: [0, 'u8'], Control: [2, 'u16'], Owner: [4, 'u32'], Group: [8, 'u32'], Sacl: [12, 'u32'], Dacl: [16, 'u32'],
});
