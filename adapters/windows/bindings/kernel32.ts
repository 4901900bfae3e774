// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';

export const INVALID_HANDLE = 0xffffffffffffffffn;

type Memory = Buffer | Uint8Array | Pointer | null;

/** Prototypes as in fileapi.h, ioapiset.h, synchapi.h, winbase.h. `Out` parameters are arrays of one element. */
export const kernel32 = dll('kernel32.dll', {
  AssignProcessToJobObject: prototype<(job: Pointer, process: Pointer) => number>('int __stdcall AssignProcessToJobObject(void *job, void *process)'),
  CancelIoEx: prototype<(file: Pointer, overlapped: Pointer | null) => number>('int __stdcall CancelIoEx(void *file, void *overlapped)'),
  CloseHandle: prototype<(handle: Pointer) => number>('int __stdcall CloseHandle(void *handle)'),
  CreateDirectoryW: prototype<(path: string, security: Memory) => number>('int __stdcall CreateDirectoryW(str16 path, void *security)'),
  CreateEventW: prototype<(security: Memory, manualReset: number, initial: number, name: string | null) => Pointer>(
    'void *__stdcall CreateEventW(void *security, int manualReset, int initial, str16 name)'),
  CreateFileMappingW: prototype<(file: Pointer, security: Memory, protect: number, high: number, low: number, name: string) => Pointer>(
    'void *__stdcall CreateFileMappingW(void *file, void *security, uint32_t protect, uint32_t high, uint32_t low, str16 name)'),
  CreateJobObjectW: prototype<(security: null, name: null) => Pointer>('void *__stdcall CreateJobObjectW(void *security, str16 name)'),
  CreateNamedPipeW: prototype<(name: string, mode: number, pipeMode: number, most: number, output: number, input: number, timeout: number, security: Memory) => Pointer>(
    'void *__stdcall CreateNamedPipeW(str16 name, uint32_t mode, uint32_t pipeMode, uint32_t most, uint32_t output, uint32_t input, uint32_t timeout, void *security)'),
  CreateProcessW: prototype<(application: string, commandLine: Buffer, process: null, thread: null, inherit: number, flags: number, environment: Buffer | null, directory: string | null, startup: Buffer, information: Buffer) => number>(
    'int __stdcall CreateProcessW(str16 application, void *commandLine, void *process, void *thread, int inherit, uint32_t flags, void *environment, str16 directory, void *startup, _Out_ void *information)'),
  CreateThread: prototype<(security: null, stack: number, start: Pointer, parameter: Buffer | Pointer, flags: number, id: Out<number>) => Pointer>(
    'void *__stdcall CreateThread(void *security, size_t stack, void *start, void *parameter, uint32_t flags, _Out_ uint32_t *id)'),
  CreateFileW: prototype<(path: string, access: number, share: number, security: Memory, disposition: number, flags: number, template: null) => Pointer>(
    'void *__stdcall CreateFileW(str16 path, uint32_t access, uint32_t share, void *security, uint32_t disposition, uint32_t flags, void *template)'),
  DeleteProcThreadAttributeList: prototype<(list: Buffer) => void>('void __stdcall DeleteProcThreadAttributeList(void *list)'),
  DeleteFileW: prototype<(path: string) => number>('int __stdcall DeleteFileW(str16 path)'),
  DeviceIoControl: prototype<(device: Pointer, code: number, input: Memory, inputSize: number, output: Memory, outputSize: number, returned: Out<number> | null, overlapped: Pointer | null) => number>(
    'int __stdcall DeviceIoControl(void *device, uint32_t code, void *input, uint32_t inputSize, _Out_ void *output, uint32_t outputSize, _Out_ uint32_t *returned, void *overlapped)'),
  ExpandEnvironmentStringsW: prototype<(text: string, into: Buffer, length: number) => number>(
    'uint32_t __stdcall ExpandEnvironmentStringsW(str16 text, _Out_ void *into, uint32_t length)'),
  FileTimeToSystemTime: prototype<(fileTime: Buffer, systemTime: Buffer) => number>(
    'int __stdcall FileTimeToSystemTime(void *fileTime, _Out_ void *systemTime)'),
  FindFirstVolumeW: prototype<(name: Buffer, length: number) => Pointer>('void *__stdcall FindFirstVolumeW(_Out_ void *name, uint32_t length)'),
  FindNextVolumeW: prototype<(search: Pointer, name: Buffer, length: number) => number>(
    'int __stdcall FindNextVolumeW(void *search, _Out_ void *name, uint32_t length)'),
  FindVolumeClose: prototype<(search: Pointer) => number>('int __stdcall FindVolumeClose(void *search)'),
  FlushFileBuffers: prototype<(file: Pointer) => number>('int __stdcall FlushFileBuffers(void *file)'),
  FormatMessageW: prototype<(flags: number, source: Pointer, code: number, language: number, text: Buffer, length: number, args: null) => number>(
    'uint32_t __stdcall FormatMessageW(uint32_t flags, void *source, uint32_t code, uint32_t language, _Out_ void *text, uint32_t length, void *args)'),
  FreeLibrary: prototype<(module: Pointer) => number>('int __stdcall FreeLibrary(void *module)'),
  GetComputerNameW: prototype<(name: Buffer, length: Out<number>) => number>('int __stdcall GetComputerNameW(_Out_ void *name, _Inout_ uint32_t *length)'),
  GetCurrentProcess: prototype<() => Pointer>('void *__stdcall GetCurrentProcess()'),
  GetDiskFreeSpaceExW: prototype<(directory: string, available: Buffer, total: Buffer, free: Buffer) => number>(
    'int __stdcall GetDiskFreeSpaceExW(str16 directory, _Out_ void *available, _Out_ void *total, _Out_ void *free)'),
  GetDriveTypeW: prototype<(root: string) => number>('uint32_t __stdcall GetDriveTypeW(str16 root)'),
  GetDynamicTimeZoneInformation: prototype<(zone: Buffer) => number>('uint32_t __stdcall GetDynamicTimeZoneInformation(_Out_ void *zone)'),
  GetFileAttributesW: prototype<(path: string) => number>('uint32_t __stdcall GetFileAttributesW(str16 path)'),
  GetExitCodeProcess: prototype<(process: Pointer, code: Out<number>) => number>('int __stdcall GetExitCodeProcess(void *process, _Out_ uint32_t *code)'),
  GetFinalPathNameByHandleW: prototype<(file: Pointer, path: Buffer, length: number, flags: number) => number>(
    'uint32_t __stdcall GetFinalPathNameByHandleW(void *file, _Out_ void *path, uint32_t length, uint32_t flags)'),
  GetFileInformationByHandle: prototype<(file: Pointer, information: Buffer) => number>('int __stdcall GetFileInformationByHandle(void *file, _Out_ void *information)'),
  GetFileType: prototype<(file: Pointer) => number>('uint32_t __stdcall GetFileType(void *file)'),
  GetLogicalProcessorInformationEx: prototype<(relation: number, into: Buffer | null, size: Out<number>) => number>(
    'int __stdcall GetLogicalProcessorInformationEx(int relation, _Out_ void *into, _Inout_ uint32_t *size)'),
  GetNativeSystemInfo: prototype<(info: Buffer) => void>('void __stdcall GetNativeSystemInfo(_Out_ void *info)'),
  GetOverlappedResult: prototype<(file: Pointer, overlapped: Pointer, transferred: Out<number>, wait: number) => number>(
    'int __stdcall GetOverlappedResult(void *file, void *overlapped, _Out_ uint32_t *transferred, int wait)'),
  GetProcAddress: prototype<(module: Pointer, name: string) => Pointer>('void *__stdcall GetProcAddress(void *module, str name)'),
  GetSystemTimePreciseAsFileTime: prototype<(fileTime: Buffer) => void>('void __stdcall GetSystemTimePreciseAsFileTime(_Out_ void *fileTime)'),
  GetVolumeInformationW: prototype<(root: string, label: Buffer | null, labelLength: number, serial: Out<number>, longestName: Out<number>, flags: Out<number>, type: Buffer, typeLength: number) => number>(
    'int __stdcall GetVolumeInformationW(str16 root, _Out_ void *label, uint32_t labelLength, _Out_ uint32_t *serial, _Out_ uint32_t *longestName, _Out_ uint32_t *flags, _Out_ void *type, uint32_t typeLength)'),
  GetVolumeNameForVolumeMountPointW: prototype<(mountPoint: string, name: Buffer, length: number) => number>(
    'int __stdcall GetVolumeNameForVolumeMountPointW(str16 mountPoint, _Out_ void *name, uint32_t length)'),
  GetVolumePathNameW: prototype<(path: string, mountPoint: Buffer, length: number) => number>(
    'int __stdcall GetVolumePathNameW(str16 path, _Out_ void *mountPoint, uint32_t length)'),
  GetVolumePathNamesForVolumeNameW: prototype<(volume: string, names: Buffer, length: number, needed: Out<number>) => number>(
    'int __stdcall GetVolumePathNamesForVolumeNameW(str16 volume, _Out_ void *names, uint32_t length, _Out_ uint32_t *needed)'),
  InitializeProcThreadAttributeList: prototype<(list: Buffer | null, count: number, flags: number, size: Buffer) => number>(
    'int __stdcall InitializeProcThreadAttributeList(void *list, uint32_t count, uint32_t flags, void *size)'),
  LoadLibraryExW: prototype<(file: string, reserved: Pointer, flags: number) => Pointer>(
    'void *__stdcall LoadLibraryExW(str16 file, void *reserved, uint32_t flags)'),
  LocalFree: prototype<(memory: Pointer) => Pointer>('void *__stdcall LocalFree(void *memory)'),
  MapViewOfFile: prototype<(mapping: Pointer, access: number, high: number, low: number, size: number) => Pointer>(
    'void *__stdcall MapViewOfFile(void *mapping, uint32_t access, uint32_t high, uint32_t low, size_t size)'),
  MoveFileExW: prototype<(from: string, to: string, flags: number) => number>('int __stdcall MoveFileExW(str16 from, str16 to, uint32_t flags)'),
  MultiByteToWideChar: prototype<(codePage: number, flags: number, from: Buffer, fromLength: number, to: Buffer, toLength: number) => number>(
    'int __stdcall MultiByteToWideChar(uint32_t codePage, uint32_t flags, void *from, int fromLength, _Out_ void *to, int toLength)'),
  OpenProcess: prototype<(access: number, inherit: number, id: number) => Pointer>('void *__stdcall OpenProcess(uint32_t access, int inherit, uint32_t id)'),
  QueryDosDeviceW: prototype<(name: string, into: Buffer, length: number) => number>(
    'uint32_t __stdcall QueryDosDeviceW(str16 name, _Out_ void *into, uint32_t length)'),
  ReadFile: prototype<(file: Pointer, into: Memory, length: number, read: Out<number> | null, overlapped: Pointer | null) => number>(
    'int __stdcall ReadFile(void *file, _Out_ void *into, uint32_t length, _Out_ uint32_t *read, void *overlapped)'),
  RegisterWaitForSingleObject: prototype<(wait: Out<Pointer | null>, object: Pointer, callback: Pointer, context: bigint, ms: number, flags: number) => number>(
    'int __stdcall RegisterWaitForSingleObject(_Out_ void **wait, void *object, void *callback, void *context, uint32_t ms, uint32_t flags)'),
  ResetEvent: prototype<(event: Pointer) => number>('int __stdcall ResetEvent(void *event)'),
  ResumeThread: prototype<(thread: Pointer) => number>('uint32_t __stdcall ResumeThread(void *thread)'),
  SetCommTimeouts: prototype<(device: Pointer, timeouts: Buffer) => number>('int __stdcall SetCommTimeouts(void *device, void *timeouts)'),
  SetEvent: prototype<(event: Pointer) => number>('int __stdcall SetEvent(void *event)'),
  SetFilePointerEx: prototype<(file: Pointer, distance: bigint, position: Buffer, method: number) => number>(
    'int __stdcall SetFilePointerEx(void *file, int64_t distance, _Out_ void *position, uint32_t method)'),
  SetNamedPipeHandleState: prototype<(pipe: Pointer, mode: Out<number>, most: null, timeout: null) => number>(
    'int __stdcall SetNamedPipeHandleState(void *pipe, _Inout_ uint32_t *mode, void *most, void *timeout)'),
  SetSystemTime: prototype<(time: Buffer) => number>('int __stdcall SetSystemTime(void *time)'),
  TerminateJobObject: prototype<(job: Pointer, code: number) => number>('int __stdcall TerminateJobObject(void *job, uint32_t code)'),
  TerminateProcess: prototype<(process: Pointer, code: number) => number>('int __stdcall TerminateProcess(void *process, uint32_t code)'),
  UnmapViewOfFile: prototype<(view: Pointer) => number>('int __stdcall UnmapViewOfFile(void *view)'),
  UnregisterWaitEx: prototype<(wait: Pointer, completion: Pointer) => number>('int __stdcall UnregisterWaitEx(void *wait, void *completion)'),
  UpdateProcThreadAttribute: prototype<(list: Buffer, flags: number, attribute: bigint, value: Buffer, size: number, previous: null, returned: null) => number>(
    'int __stdcall UpdateProcThreadAttribute(void *list, uint32_t flags, size_t attribute, void *value, size_t size, void *previous, void *returned)'),
  WriteFile: prototype<(file: Pointer, from: Memory, length: number, written: Out<number> | null, overlapped: Pointer | null) => number>(
    'int __stdcall WriteFile(void *file, void *from, uint32_t length, _Out_ uint32_t *written, void *overlapped)'),
});

export const OVERLAPPED = layout('OVERLAPPED', 'windows.h', 32, {
  Internal: [0, 'u64'], InternalHigh: [8, 'u64'], Offset: [16, 'u32'], OffsetHigh: [20, 'u32'], hEvent: [24, 'pointer'],
});

export const COMMTIMEOUTS = layout('COMMTIMEOUTS', 'windows.h', 20, {
  ReadIntervalTimeout: [0, 'u32'], ReadTotalTimeoutMultiplier: [4, 'u32'], ReadTotalTimeoutConstant: [8, 'u32'],
  WriteTotalTimeoutMultiplier: [12, 'u32'], WriteTotalTimeoutConstant: [16, 'u32'],
});

export const SECURITY_ATTRIBUTES = layout('SECURITY_ATTRIBUTES', 'windows.h', 24, {
  nLength: [0, 'u32'], lpSecurityDescriptor: [8, 'pointer'], bInheritHandle: [16, 'i32'],
});

export const SYSTEMTIME = layout('SYSTEMTIME', 'windows.h', 16, {
  wYear: [0, 'u16'], wMonth: [2, 'u16'], wDayOfWeek: [4, 'u16'], wDay: [6, 'u16'],
  wHour: [8, 'u16'], wMinute: [10, 'u16'], wSecond: [12, 'u16'], wMilliseconds: [14, 'u16'],
});

export const SYSTEM_INFO = layout('SYSTEM_INFO', 'windows.h', 48, {
  wProcessorArchitecture: [0, 'u16'], dwPageSize: [4, 'u32'], dwNumberOfProcessors: [32, 'u32'],
});

export const DYNAMIC_TIME_ZONE_INFORMATION = layout('DYNAMIC_TIME_ZONE_INFORMATION', 'windows.h', 432, {
  Bias: [0, 'i32'], StandardName: [4, 'wide32'], StandardBias: [84, 'i32'], DaylightName: [88, 'wide32'], DaylightBias: [168, 'i32'],
  TimeZoneKeyName: [172, 'wide128'],
});

/** The head of each record that GetLogicalProcessorInformationEx gives, and what a RelationGroup record holds. */
export const SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX = layout('SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX', 'windows.h', 80, {
  Relationship: [0, 'u32'], Size: [4, 'u32'], 'Group.MaximumGroupCount': [8, 'u16'], 'Group.ActiveGroupCount': [10, 'u16'],
  'Group.GroupInfo': [32, 'bytes48'],
});

export const PROCESSOR_GROUP_INFO = layout('PROCESSOR_GROUP_INFO', 'windows.h', 48, {
  MaximumProcessorCount: [0, 'u8'], ActiveProcessorCount: [1, 'u8'], ActiveProcessorMask: [40, 'u64'],
});

export const STARTUPINFOEXW = layout('STARTUPINFOEXW', 'windows.h', 112, {
  'StartupInfo.cb': [0, 'u32'], 'StartupInfo.dwFlags': [60, 'u32'], 'StartupInfo.wShowWindow': [64, 'u16'], 'StartupInfo.hStdInput': [80, 'pointer'],
  'StartupInfo.hStdOutput': [88, 'pointer'], 'StartupInfo.hStdError': [96, 'pointer'], lpAttributeList: [104, 'pointer'],
});

export const PROCESS_INFORMATION = layout('PROCESS_INFORMATION', 'windows.h', 24, {
  hProcess: [0, 'pointer'], hThread: [8, 'pointer'], dwProcessId: [16, 'u32'], dwThreadId: [20, 'u32'],
});

export const BY_HANDLE_FILE_INFORMATION = layout('BY_HANDLE_FILE_INFORMATION', 'windows.h', 52, {
  dwFileAttributes: [0, 'u32'], nNumberOfLinks: [40, 'u32'],
});
