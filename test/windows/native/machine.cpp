// A machine that is made up: adapters, routes, volumes, disks, devices, processors, version and zone. What differs from
// test to test comes from the environment: CONCIERGE_MACHINE="version=10.0.26100.1,arch=12,zone=2.-60.0.-60,...".
#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>
#include <initguid.h>
#include <iphlpapi.h>
#include <netioapi.h>
#include <winioctl.h>
#include <ntddscsi.h>
#include <setupapi.h>
#include <cfgmgr32.h>
#include <powrprof.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#define EXPORT extern "C" __declspec(dllexport)

/** What is said of one matter, as text; `otherwise` where nothing is. */
static const char *scene(const char *matter, const char *otherwise) {
    static thread_local char list[1024];
    DWORD length = GetEnvironmentVariableA("CONCIERGE_MACHINE", list, sizeof list);
    if (length == 0 || length >= sizeof list) return otherwise;
    size_t name = strlen(matter);
    for (char *at = strtok(list, ","); at; at = strtok(nullptr, ",")) if (strncmp(at, matter, name) == 0 && at[name] == '=') return at + name + 1;
    return otherwise;
}

// -- version, architecture, name, zone, processors
EXPORT LONG WINAPI MachineRtlGetVersion(OSVERSIONINFOEXW *v) {
    unsigned major = 10, minor = 0, build = 20348, kind = 3;
    sscanf(scene("version", "10.0.20348.3"), "%u.%u.%u.%u", &major, &minor, &build, &kind);
    v->dwMajorVersion = major; v->dwMinorVersion = minor; v->dwBuildNumber = build; v->wProductType = kind;
    return 0;
}
EXPORT void WINAPI MachineGetNativeSystemInfo(SYSTEM_INFO *info) {
    memset(info, 0, sizeof *info);
    info->wProcessorArchitecture = atoi(scene("arch", "9"));
}
EXPORT BOOL WINAPI MachineGetComputerNameW(LPWSTR name, DWORD *length) {
    wcscpy(name, L"M\u00dcNCHEN-PC");
    *length = wcslen(name);
    return TRUE;
}
EXPORT DWORD WINAPI MachineGetDynamicTimeZoneInformation(DYNAMIC_TIME_ZONE_INFORMATION *zone) {
    int which = 1, bias = -60, standard = 0, daylight = -60;
    sscanf(scene("zone", "1.-60.0.-60"), "%d.%d.%d.%d", &which, &bias, &standard, &daylight);
    memset(zone, 0, sizeof *zone);
    zone->Bias = bias; zone->StandardBias = standard; zone->DaylightBias = daylight;
    wcscpy(zone->StandardName, L"Mitteleurop\u00e4ische Zeit");
    wcscpy(zone->DaylightName, L"Mitteleurop\u00e4ische Sommerzeit");
    wcscpy(zone->TimeZoneKeyName, L"W. Europe Standard Time");
    return (DWORD)which;
}
EXPORT BOOL WINAPI MachineGetLogicalProcessorInformationEx(LOGICAL_PROCESSOR_RELATIONSHIP relation, SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX *into, DWORD *length) {
    const int groups[] = {64, 16};
    DWORD needed = offsetof(SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX, Group.GroupInfo) + 2 * sizeof(PROCESSOR_GROUP_INFO);
    if (relation != RelationGroup) { SetLastError(ERROR_INVALID_PARAMETER); return FALSE; }
    if (!into || *length < needed) { *length = needed; SetLastError(ERROR_INSUFFICIENT_BUFFER); return FALSE; }
    memset(into, 0, needed);
    into->Relationship = RelationGroup; into->Size = needed; into->Group.MaximumGroupCount = 4; into->Group.ActiveGroupCount = 2;
    for (int i = 0; i < 2; i++) {
        into->Group.GroupInfo[i].MaximumProcessorCount = 64;
        into->Group.GroupInfo[i].ActiveProcessorCount = groups[i];
    }
    return TRUE;
}

// -- network
struct Adapter { const wchar_t *name; unsigned long long luid; DWORD index, linkLength; BYTE link[8]; const char *v4, *v6[2]; UINT8 prefix4, prefix6; };
static const Adapter machine[] = {
    {L"Ethernet", 0x6000000000001ULL, 7, 6, {0x52, 0x54, 0, 0xAB, 0xCD, 0xEF}, "192.0.2.10", {"fe80::5054:ff:feab:cdef", "2001:db8:0:0:1::1"}, 20, 64},
    {L"Ethernet", 0x6000000000002ULL, 8, 6, {0x52, 0x54, 0, 0, 0, 2}, nullptr, {nullptr, nullptr}, 0, 0},
    {L"Infiniband \U0001F600", 0x6000000000003ULL, 0, 8, {1, 2, 3, 4, 5, 6, 7, 8}, nullptr, {"fd00::3", nullptr}, 0, 48},
    {L"Loopback Pseudo-Interface 1", 0x18000000000000ULL, 1, 0, {}, "127.0.0.1", {"::1", nullptr}, 8, 128},
};
static IP_ADAPTER_UNICAST_ADDRESS_LH *address(BYTE *&at, int family, const char *text, UINT8 prefix, DWORD index) {
    auto entry = (IP_ADAPTER_UNICAST_ADDRESS_LH *)at;
    at += sizeof *entry;
    auto v6 = (sockaddr_in6 *)at;
    at += 32;
    entry->Length = sizeof *entry;
    entry->OnLinkPrefixLength = prefix;
    entry->Address.lpSockaddr = (sockaddr *)v6;
    if (family == AF_INET) {
        auto v4 = (sockaddr_in *)v6;
        entry->Address.iSockaddrLength = sizeof *v4;
        v4->sin_family = AF_INET;
        unsigned a, b, c, d;
        sscanf(text, "%u.%u.%u.%u", &a, &b, &c, &d);
        v4->sin_addr.s_addr = a | b << 8 | c << 16 | d << 24;
    } else {
        entry->Address.iSockaddrLength = sizeof *v6;
        v6->sin6_family = AF_INET6;
        WSADATA data;
        WSAStartup(MAKEWORD(2, 2), &data);
        inet_pton(AF_INET6, text, &v6->sin6_addr);
        if (strncmp(text, "fe80", 4) == 0) v6->sin6_scope_id = index;
    }
    return entry;
}
EXPORT ULONG WINAPI MachineGetAdaptersAddresses(ULONG family, ULONG, void *, BYTE *into, ULONG *size) {
    if (strcmp(scene("adapters", ""), "none") == 0) return ERROR_NO_DATA;
    // More than callers begin with, so that they have to ask again.
    const ULONG needed = 20000;
    if (family != AF_UNSPEC) return ERROR_INVALID_PARAMETER;
    if (*size < needed) { *size = needed; return ERROR_BUFFER_OVERFLOW; }
    memset(into, 0, needed);
    BYTE *at = into;
    IP_ADAPTER_ADDRESSES_LH *last = nullptr;
    for (auto &one : machine) {
        auto adapter = (IP_ADAPTER_ADDRESSES_LH *)at;
        at += sizeof *adapter;
        if (last) last->Next = adapter;
        last = adapter;
        adapter->IfIndex = one.index;
        adapter->Luid.Value = one.luid;
        adapter->PhysicalAddressLength = one.linkLength;
        memcpy(adapter->PhysicalAddress, one.link, 8);
        adapter->FriendlyName = (WCHAR *)at;
        wcscpy(adapter->FriendlyName, one.name);
        at += 256;
        auto **next = &adapter->FirstUnicastAddress;
        if (one.v4) { *next = address(at, AF_INET, one.v4, one.prefix4, one.index); next = &(*next)->Next; }
        for (auto text : one.v6) if (text) { *next = address(at, AF_INET6, text, one.prefix6, one.index); next = &(*next)->Next; }
    }
    return NO_ERROR;
}
EXPORT ULONG WINAPI MachineGetIfTable2(MIB_IF_TABLE2 **table) {
    // The adapter without an index has no counters.
    *table = (MIB_IF_TABLE2 *)calloc(1, offsetof(MIB_IF_TABLE2, Table) + 4 * sizeof(MIB_IF_ROW2));
    for (auto &one : machine) {
        if (one.index == 0) continue;
        MIB_IF_ROW2 &row = (*table)->Table[(*table)->NumEntries++];
        row.InterfaceLuid.Value = one.luid; row.InterfaceIndex = one.index;
        wcscpy(row.Alias, one.name);
        row.InOctets = 0x1234567890ULL + one.index; row.InUcastPkts = 2; row.InErrors = 3; row.InDiscards = 4;
        row.OutOctets = 0xFFFFFFFFFFFFFFFFULL; row.OutUcastPkts = 6; row.OutErrors = 7; row.OutDiscards = 8;
        row.InNUcastPkts = row.OutNUcastPkts = 99;
    }
    return NO_ERROR;
}
static void endpoint(SOCKADDR_INET &to, int family, const char *text) {
    BYTE memory[256] = {};
    BYTE *at = memory;
    auto entry = address(at, family, text, 0, 0);
    memcpy(&to, entry->Address.lpSockaddr, entry->Address.iSockaddrLength);
}
EXPORT ULONG WINAPI MachineGetIpForwardTable2(ADDRESS_FAMILY family, MIB_IPFORWARD_TABLE2 **table) {
    struct Row { int family; const char *to; UINT8 prefix; const char *hop; DWORD index, metric; };
    static const Row rows[] = {
        {AF_INET, "0.0.0.0", 0, "192.0.2.1", 7, 25}, {AF_INET, "192.0.0.0", 20, "0.0.0.0", 7, 281}, {AF_INET, "127.0.0.1", 32, "0.0.0.0", 77, 331},
        {AF_INET6, "::", 0, "fe80::1", 7, 25}, {AF_INET6, "2001:db8::", 64, "::", 7, 281},
    };
    if (family == AF_INET6 && strcmp(scene("ipv6", ""), "off") == 0) return ERROR_NOT_FOUND;
    *table = (MIB_IPFORWARD_TABLE2 *)calloc(1, offsetof(MIB_IPFORWARD_TABLE2, Table) + 5 * sizeof(MIB_IPFORWARD_ROW2));
    for (auto &one : rows) {
        if (one.family != family) continue;
        MIB_IPFORWARD_ROW2 &row = (*table)->Table[(*table)->NumEntries++];
        row.InterfaceIndex = one.index; row.Metric = one.metric; row.DestinationPrefix.PrefixLength = one.prefix;
        endpoint(row.DestinationPrefix.Prefix, family, one.to);
        endpoint(row.NextHop, family, one.hop);
    }
    return NO_ERROR;
}
EXPORT void WINAPI MachineFreeMibTable(void *table) { free(table); }

// -- volumes
struct Volume { const wchar_t *name, *paths; UINT drive; const wchar_t *type; int disks[4]; unsigned long long total, free; };
static const Volume volumes[] = {
    {L"\\\\?\\Volume{00000001-0000-0000-0000-000000000000}\\", L"", DRIVE_FIXED, L"NTFS", {0, -1}, 500, 100},
    {L"\\\\?\\Volume{00000002-0000-0000-0000-000000000000}\\", L"C:\\\0", DRIVE_FIXED, L"NTFS", {0, -1}, 0x10000000000ULL, 0x4000000000ULL},
    {L"\\\\?\\Volume{00000003-0000-0000-0000-000000000000}\\", L"D:\\\0C:\\mnt\\data 1\\\0", DRIVE_FIXED, L"ReFS", {1, 2, 1, -1}, 9000, 1000},
    {L"\\\\?\\Volume{00000004-0000-0000-0000-000000000000}\\", L"E:\\\0", DRIVE_CDROM, nullptr, {-1}, 0, 0},
    {L"\\\\?\\Volume{00000005-0000-0000-0000-000000000000}\\", L"F:\\\0", DRIVE_CDROM, L"CDFS", {-2}, 700, 0},
    {L"\\\\?\\Volume{00000006-0000-0000-0000-000000000000}\\", L"G:\\\0", DRIVE_REMOVABLE, L"FAT32", {3, -1}, 64, 32},
};
static const Volume *volume(const wchar_t *name) {
    for (auto &one : volumes) if (wcsncmp(one.name, name, 48) == 0 || (*one.paths && wcscmp(one.paths, name) == 0)) return &one;
    return nullptr;
}
static DWORD place;
EXPORT HANDLE WINAPI MachineFindFirstVolumeW(LPWSTR name, DWORD) { place = 1; wcscpy(name, volumes[0].name); return (HANDLE)0x7777; }
EXPORT BOOL WINAPI MachineFindNextVolumeW(HANDLE, LPWSTR name, DWORD) {
    if (place == sizeof volumes / sizeof *volumes) { SetLastError(ERROR_NO_MORE_FILES); return FALSE; }
    wcscpy(name, volumes[place++].name);
    return TRUE;
}
EXPORT BOOL WINAPI MachineFindVolumeClose(HANDLE) { return TRUE; }
EXPORT BOOL WINAPI MachineGetVolumePathNamesForVolumeNameW(LPCWSTR name, LPWSTR paths, DWORD length, DWORD *needed) {
    const Volume *one = volume(name);
    DWORD size = 0;
    while (one->paths[size]) size += wcslen(one->paths + size) + 1;
    *needed = size + 1;
    if (length < *needed) { SetLastError(ERROR_MORE_DATA); return FALSE; }
    memcpy(paths, one->paths, *needed * sizeof(WCHAR));
    return TRUE;
}
EXPORT UINT WINAPI MachineGetDriveTypeW(LPCWSTR root) { return volume(root)->drive; }
EXPORT BOOL WINAPI MachineGetVolumeInformationW(LPCWSTR root, LPWSTR, DWORD, DWORD *, DWORD *, DWORD *flags, LPWSTR type, DWORD) {
    const Volume *one = volume(root);
    if (!one || !one->type) { SetLastError(ERROR_NOT_READY); return FALSE; }
    wcscpy(type, one->type);
    *flags = 0;
    return TRUE;
}
EXPORT BOOL WINAPI MachineGetDiskFreeSpaceExW(LPCWSTR root, ULARGE_INTEGER *available, ULARGE_INTEGER *total, ULARGE_INTEGER *left) {
    const Volume *one = volume(root);
    // A quota: less for the caller than there is.
    available->QuadPart = one->free / 2; total->QuadPart = one->total; left->QuadPart = one->free;
    return TRUE;
}

// -- disks: virtio, SATA, NVMe, USB, a storage space, Fibre Channel
struct Disk { STORAGE_BUS_TYPE bus; const char *serial; int path, target, lun; DWORD pciBus, pciAddress; int steps; };
static const Disk disks[] = {
    {BusTypeScsi, "gast-0001           ", 0, 2, 5, 0, 0x00040000, 1}, {BusTypeSata, "QM00003", 9, 9, 9, 0, 0x001F0002, 2},
    {BusTypeNvme, "nvme-1", 9, 9, 9, 3, 0x00000000, 1}, {BusTypeUsb, "usb-1", 9, 9, 9, 0, 0x00010000, 1},
    {(STORAGE_BUS_TYPE)16, nullptr, 0, 0, 0, 0, 0, -1}, {BusTypeFibre, "", 9, 9, 9, 0x102, 0x00070003, 1},
};
const int diskCount = sizeof disks / sizeof *disks;
const uintptr_t firstHandle = 0x51510000;
EXPORT HANDLE WINAPI MachineCreateFileW(LPCWSTR path, DWORD access, DWORD share, SECURITY_ATTRIBUTES *security, DWORD disposition, DWORD flags, HANDLE like) {
    int number = -1;
    if (swscanf(path, L"\\\\.\\PhysicalDrive%d", &number) == 1 || swscanf(path, L"\\\\?\\machine-disk#%d", &number) == 1) {
        if (number >= 0 && number < diskCount) return (HANDLE)(firstHandle + number);
        SetLastError(ERROR_FILE_NOT_FOUND);
        return INVALID_HANDLE_VALUE;
    }
    if (const Volume *one = volume(path)) return (HANDLE)(firstHandle + 100 + (one - volumes));
    return CreateFileW(path, access, share, security, disposition, flags, like);
}
EXPORT BOOL WINAPI MachineCloseHandle(HANDLE handle) { return ((uintptr_t)handle & ~(uintptr_t)0xffff) == firstHandle ? TRUE : CloseHandle(handle); }
EXPORT BOOL WINAPI MachineDeviceIoControl(HANDLE handle, DWORD code, void *in, DWORD, void *out, DWORD size, DWORD *returned, OVERLAPPED *) {
    int number = (int)((uintptr_t)handle - firstHandle);
    memset(out, 0, size);
    *returned = 0;
    if (number >= 100) {
        const Volume &one = volumes[number - 100];
        if (code == IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS && one.disks[0] >= 0) {
            auto extents = (VOLUME_DISK_EXTENTS *)out;
            for (int i = 0; one.disks[i] >= 0; i++) extents->Extents[extents->NumberOfDiskExtents++].DiskNumber = one.disks[i];
            return TRUE;
        }
        if (code == IOCTL_STORAGE_QUERY_PROPERTY && one.disks[0] == -2) { ((STORAGE_DEVICE_DESCRIPTOR *)out)->BusType = BusTypeAtapi; return TRUE; }
        SetLastError(ERROR_INVALID_FUNCTION);
        return FALSE;
    }
    const Disk &disk = disks[number];
    if (code == IOCTL_STORAGE_GET_DEVICE_NUMBER) { ((STORAGE_DEVICE_NUMBER *)out)->DeviceNumber = number; return TRUE; }
    if (code == IOCTL_STORAGE_QUERY_PROPERTY) {
        auto query = (STORAGE_PROPERTY_QUERY *)in;
        if (query->PropertyId != StorageDeviceProperty || query->QueryType != PropertyStandardQuery) return FALSE;
        auto descriptor = (STORAGE_DEVICE_DESCRIPTOR *)out;
        descriptor->BusType = disk.bus;
        if (disk.serial) { descriptor->SerialNumberOffset = 200; strcpy((char *)out + 200, disk.serial); }
        return TRUE;
    }
    if (code == IOCTL_SCSI_GET_ADDRESS) {
        auto address = (SCSI_ADDRESS *)out;
        address->PathId = disk.path; address->TargetId = disk.target; address->Lun = disk.lun;
        return TRUE;
    }
    SetLastError(ERROR_INVALID_FUNCTION);
    return FALSE;
}

// -- devices
struct Device { const wchar_t *ids; size_t idLength; const wchar_t *name, *version; unsigned long long date; };
#define IDS(text) text, sizeof(text) / sizeof(wchar_t)
static const Device devices[] = {
    {IDS(L"PCI\\VEN_1AF4&DEV_1041&SUBSYS_11001AF4&REV_01\0PCI\\VEN_1AF4&DEV_1041\0"), L"Red Hat VirtIO Ethernet Adapter", L"100.93.104.26600", 133485408000000000ULL},
    {IDS(L"PCI\\VEN_8086&DEV_2922&SUBSYS_11001AF4\0"), L"Intel", L"1.0", 133485408000000000ULL},
    {IDS(L"PCI\\VEN_1AF4&DEV_105A\0"), L"VirtIO-FS-Ger\u00e4t", L"100.0", 133485408000000000ULL},
    {IDS(L"pci\\ven_1b36&dev_000f&rev_01\0"), L"QEMU", L"1.2", 133485408000000000ULL},
    {IDS(L"PCI\\VEN_1AF4&DEV_1045\0"), L"without a version", nullptr, 133485408000000000ULL},
    {IDS(L"PCI\\VEN_1AF4&DEV_1044\0"), L"without a date", L"1.0", 0},
    {IDS(L"USB\\VID_1AF4&PID_1041\0"), L"no PCI device", L"1.0", 133485408000000000ULL},
    {IDS(L"\0"), L"without an id", L"1.0", 133485408000000000ULL},
};
const int deviceCount = sizeof devices / sizeof *devices;
EXPORT void *WINAPI MachineSetupDiGetClassDevsW(const GUID *kind, LPCWSTR, HWND, DWORD) {
    if (strcmp(scene("setup", ""), "fails") == 0) { SetLastError(ERROR_ACCESS_DENIED); return INVALID_HANDLE_VALUE; }
    return (void *)(uintptr_t)(kind ? 2 : 1);
}
EXPORT BOOL WINAPI MachineSetupDiDestroyDeviceInfoList(void *) { return TRUE; }
EXPORT BOOL WINAPI MachineSetupDiEnumDeviceInfo(void *, DWORD index, SP_DEVINFO_DATA *data) {
    if (data->cbSize != sizeof *data) { SetLastError(ERROR_INVALID_USER_BUFFER); return FALSE; }
    if (index >= (DWORD)deviceCount) { SetLastError(ERROR_NO_MORE_ITEMS); return FALSE; }
    data->DevInst = index;
    return TRUE;
}
EXPORT BOOL WINAPI MachineSetupDiGetDeviceRegistryPropertyW(void *, SP_DEVINFO_DATA *data, DWORD property, DWORD *type, BYTE *into, DWORD size, DWORD *needed) {
    const Device &one = devices[data->DevInst];
    *needed = one.idLength * sizeof(wchar_t);
    if (property != SPDRP_HARDWAREID || one.idLength < 3) { SetLastError(ERROR_INVALID_DATA); return FALSE; }
    if (size < *needed) { SetLastError(ERROR_INSUFFICIENT_BUFFER); return FALSE; }
    *type = REG_MULTI_SZ;
    memcpy(into, one.ids, *needed);
    return TRUE;
}
EXPORT BOOL WINAPI MachineSetupDiGetDevicePropertyW(void *, SP_DEVINFO_DATA *data, const DEVPROPKEY *key, ULONG *type, BYTE *into, DWORD, DWORD *size, DWORD) {
    const Device &one = devices[data->DevInst];
    auto text = [&](const wchar_t *from) { *size = (wcslen(from) + 1) * sizeof *from; memcpy(into, from, *size); *type = 18; return TRUE; };
    if (key->fmtid.Data1 == 0xb725f130 && key->pid == 10) return text(one.name);
    if (key->fmtid.Data1 == 0xa8b865dd && key->pid == 3 && one.version) return text(one.version);
    if (key->fmtid.Data1 == 0xa8b865dd && key->pid == 2 && one.date) { *size = 8; memcpy(into, &one.date, 8); *type = 16; return TRUE; }
    SetLastError(ERROR_NOT_FOUND);
    return FALSE;
}
EXPORT BOOL WINAPI MachineSetupDiEnumDeviceInterfaces(void *, void *, const GUID *, DWORD index, SP_DEVICE_INTERFACE_DATA *data) {
    if (data->cbSize != sizeof *data) { SetLastError(ERROR_INVALID_USER_BUFFER); return FALSE; }
    if (index >= (DWORD)diskCount) { SetLastError(ERROR_NO_MORE_ITEMS); return FALSE; }
    data->Reserved = index;
    return TRUE;
}
EXPORT BOOL WINAPI MachineSetupDiGetDeviceInterfaceDetailW(void *, SP_DEVICE_INTERFACE_DATA *data, SP_DEVICE_INTERFACE_DETAIL_DATA_W *detail, DWORD size, DWORD *needed, SP_DEVINFO_DATA *device) {
    wchar_t path[64];
    swprintf(path, 64, L"\\\\?\\machine-disk#%d", (int)data->Reserved);
    *needed = offsetof(SP_DEVICE_INTERFACE_DETAIL_DATA_W, DevicePath) + (wcslen(path) + 1) * sizeof(wchar_t);
    if (size < *needed) { SetLastError(ERROR_INSUFFICIENT_BUFFER); return FALSE; }
    if (detail->cbSize != sizeof *detail || device->cbSize != sizeof *device) { SetLastError(ERROR_INVALID_USER_BUFFER); return FALSE; }
    wcscpy(detail->DevicePath, path);
    device->DevInst = 1000 + data->Reserved;
    return TRUE;
}

// -- the tree of nodes: disk 1000+N, above it one to two steps up its PCI controller 3000+N
EXPORT CONFIGRET WINAPI MachineCM_Get_Parent(DEVINST *parent, DEVINST node, ULONG) {
    const Disk &disk = disks[node % 1000];
    if (disk.steps < 0) return CR_NO_SUCH_DEVNODE;
    *parent = node / 1000 == 1 && disk.steps == 2 ? node + 1000 : node % 1000 + 3000;
    return CR_SUCCESS;
}
EXPORT CONFIGRET WINAPI MachineCM_Get_DevNode_Registry_PropertyW(DEVINST node, ULONG property, ULONG *, void *into, ULONG *length, ULONG) {
    const Disk &disk = disks[node % 1000];
    if (property == CM_DRP_ENUMERATOR_NAME) {
        const wchar_t *name = node / 1000 == 3 ? L"PCI" : node / 1000 == 2 ? L"PCIIDE" : L"SCSI";
        *length = (wcslen(name) + 1) * sizeof *name;
        memcpy(into, name, *length);
        return CR_SUCCESS;
    }
    if (node / 1000 != 3) return CR_NO_SUCH_VALUE;
    *length = 4;
    *(DWORD *)into = property == CM_DRP_BUSNUMBER ? disk.pciBus : disk.pciAddress;
    return CR_SUCCESS;
}
